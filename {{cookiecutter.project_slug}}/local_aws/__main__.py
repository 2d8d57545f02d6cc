"""`python -m local_aws`: the service on an embedded Cognito; `demo` checks it, `token` calls it.

`rehearse` runs the operator's commands on an emulated AWS.
"""

import signal

signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C stops this at once, until `dev` handles it

import os  # noqa: E402
import sys  # noqa: E402

from local_aws.environment import isolate  # noqa: E402

isolate()  # before anything below can read the environment

from cognises.errors import CognisesError  # noqa: E402
from cognises.settings.sources import PROJECT_FOLDER  # noqa: E402
from local_aws.address import NotRunning, fetch_token  # noqa: E402
from local_aws.embedded import NotApplied, NotRehearsed  # noqa: E402

USAGE = """usage: python -m local_aws              serve, with a user for each group, until Ctrl-C
       python -m local_aws demo         every group tries every route
       python -m local_aws rehearse     bootstrap, apply, deploy and destroy, on an emulator
       python -m local_aws token WHO    a token of the running service: of a group, or a user"""


def main(arguments: list[str]) -> int:
    """Exit code of a local run."""
    os.chdir(PROJECT_FOLDER)
    try:
        return _run(arguments)
    except (CognisesError, NotApplied) as error:
        print(f"cannot run:\n{error}", file=sys.stderr)
    except (NotRunning, LookupError, NotRehearsed) as error:
        print(f"error: {error.args[0]}", file=sys.stderr)
    return 1


def _run(arguments: list[str]) -> int:
    match arguments:
        case []:
            from local_aws import dev

            return dev.run()
        case ["demo"]:
            from local_aws import demo

            return demo.run()
        case ["rehearse"]:
            from local_aws import rehearse

            return rehearse.run()
        case ["token", who]:
            print(fetch_token(who))
            return 0
    print(USAGE, file=sys.stderr)
    return 64


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
