"""Refuses bad answers, all of them at once, before anything is generated.

cookiecutter runs this in the new, still empty project folder, with its own interpreter: standard
library only. On a refusal cookiecutter removes the folder again.
"""

import contextlib
import json
import os
import re
import sys
from pathlib import Path

# What an answer must look like as a whole, and how to say so.
RULES = {
    "project_name": (
        r"(?=.*\S)((?!\$\{).){1,60}",
        "needs one line of 1 to 60 printable characters, without '${' (a variable in .flaskenv)",
    ),
    "project_slug": (
        r"(?!(con|prn|aux|nul|com[0-9]|lpt[0-9])$)[a-z][a-z0-9-]{1,30}[a-z0-9]",
        "needs 3 to 32 of a-z, 0-9 and -, a letter first, no - last, no device name of Windows",
    ),
    "aws_region": (
        r"[a-z]{2,4}(-[a-z]{2,12}){1,3}-[0-9]{1,2}",
        "needs the name of a region, such as eu-west-1 or us-gov-west-1",
    ),
    "user_pool_id": (
        r"|(?=.{1,55}$)[a-z0-9-]+_[0-9A-Za-z]+",
        "needs the form <region>_<letters and digits>, or nothing",
    ),
    "deployment": (r"container|lambda|none", "needs one of container, lambda, none"),
}


def bad_answers(answers):
    for key, (pattern, remedy) in RULES.items():
        answer = answers.get(key)
        good = isinstance(answer, str) and answer.isprintable() and re.fullmatch(pattern, answer)
        if not good:
            yield f"{key}: {remedy}; the answer was {ascii(answer)[:80]}"
        elif key == "user_pool_id" and answer and answer.split("_")[0] != answers.get("aws_region"):
            yield f"{key}: needs to start with the answer to aws_region; the answer was {answer}"


def bad_surroundings(answers, here):
    verify = os.environ.get("COGNISES_VERIFY", "auto")
    if verify not in ("auto", "skip", "require"):
        yield f"COGNISES_VERIFY: needs one of auto, skip, require; it is {ascii(verify)[:80]}"
    if "_commit" not in answers and any(here.iterdir()):
        yield f"project_slug: {here} already holds files; nothing there was changed"


def remove_empty_parents(answers, here):
    """A slug such as a/b made two folders, of which cookiecutter will remove only the last."""
    slug = Path(str(answers.get("project_slug")))
    above = os.path.abspath(here.joinpath(*[".."] * len(slug.parts)))  # cruft does not say where
    folders = list(Path(answers.get("_output_dir", above), slug).parents)[: len(slug.parts) - 1]
    if folders and os.listdir(here.parent) == [here.name]:
        folders.insert(0, here)
    for folder in folders:
        with contextlib.suppress(OSError):
            os.rmdir(folder)


def main(answers, here):
    found = [*bad_answers(answers), *bad_surroundings(answers, here)]
    if found:
        remove_empty_parents(answers, here)
        sys.exit("\n  ".join(["Nothing was generated. Please correct:", *found]))


if __name__ == "__main__":
    main(json.loads(r"""{{ cookiecutter | tojson }}"""), Path.cwd())
