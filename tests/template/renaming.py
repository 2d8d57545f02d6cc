"""Renames every private module of the vendored package, as a later version may do."""

import ast
import re
from pathlib import Path

PUBLIC = {"cognises", "infra", "server", "user_admin", *(f"cognises.{name}" for name in (
    "access", "aws", "operation", "signin", "testing", "testing.fixtures",
    "web"))}  # fmt: skip
# Kept for projects made from 0.1.0, until the version that removes them.
DEPRECATED = ("app_state", "declarations", "routes", "setting_sources", "signin/browser")
FOLDERS = ("cognises", "infra", "server", "user_admin")
ROOTS = "|".join(FOLDERS)
TEXT = {".py", ".toml", ".yaml", ".yml", ".mk", ".txt", ".in", ".json", ""}


def modules(project):
    """Every module and package of the vendored folders, by its dotted name."""
    found = {}
    for path in sorted(path for folder in FOLDERS for path in (project / folder).rglob("*.py")):
        name = ".".join(path.relative_to(project).with_suffix("").parts)
        if name.endswith(".__init__"):
            found[name.removesuffix(".__init__")] = path.parent
        elif not name.endswith(".__main__"):
            found[name] = path
    return found


def rename_private_modules(project, *others):
    """In the project's folder, and in other files that name modules; returns how many."""
    for name in DEPRECATED:
        (project / "cognises" / f"{name}.py").unlink()
    found = modules(project)
    private = {name for name in found if name not in PUBLIC}

    def later(parts):
        """The parts of a dotted name or of a path, the private ones with their later names."""
        return [
            f"{part}_later" if ".".join(parts[: end + 1]) in private else part
            for end, part in enumerate(parts)
        ]

    def rewritten(match):
        separator = "." if "." in match[0] else "/"
        return separator.join(later(match[0].split(separator)))

    for path in [*project.rglob("*"), *others]:
        suffix = Path(path.name.removesuffix("{% endif %}")).suffix
        if not path.is_file() or suffix not in TEXT:
            continue
        text = path.read_text()
        if suffix == ".py":
            text = with_aliases(text, private)
        if path == project / "cognises" / "__init__.py":
            text = re.sub(r'(?<=")[a-z_.]+(?=")', lambda match: ".".join(
                later(["cognises", *match[0].split(".")])[1:]), text)  # fmt: skip
        # A template is no module, though it may have a module's name.
        named = rf"\b(?:{ROOTS})(?:(?:\.\w+)+|(?:/\w+)+(?!\w|\.html))"
        path.write_text(re.sub(named, rewritten, text))
    for name in sorted(private, key=len, reverse=True):
        path = found[name]
        path.rename(path.with_name(f"{path.stem}_later{path.suffix}"))
    return len(private)


def with_aliases(text, private):
    """`from cognises.web import state` keeps its local name where the module gets another."""
    lines = text.splitlines(keepends=True)
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ImportFrom) and re.match(ROOTS, node.module or ""):
            for alias in reversed(node.names):  # from the right: places to the left stay
                if f"{node.module}.{alias.name}" in private:
                    line = lines[alias.lineno - 1]
                    start, end = alias.col_offset, alias.end_col_offset
                    local = alias.asname or alias.name
                    new = f"{alias.name}_later as {local}"
                    lines[alias.lineno - 1] = line[:start] + new + line[end:]
    return "".join(lines)
