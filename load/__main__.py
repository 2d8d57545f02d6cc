"""`python -m load [--seconds N]`: ratios, slow clients, then a minute of failures. Exits 0 or 1."""

from __future__ import annotations

import argparse
import sys

from load import attacks, ratios, trouble
from load.server import running


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m load", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60, help="how long the trouble lasts")
    parser.add_argument(
        "--rounds", type=int, default=24, help="turns of half a second for each route"
    )
    options = parser.parse_args(arguments)
    with running() as service:
        measured = ratios.measure(service, options.rounds)
    print(ratios.table(measured), flush=True)
    attacked = attacks.compare()
    print(attacks.table(attacked), flush=True)
    with running() as service:
        troubled = trouble.through(service, options.seconds)
    print(trouble.report(troubled))
    is_good = ratios.is_good(measured) and attacks.is_good(attacked)
    return 0 if is_good and not trouble.problems(troubled) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
