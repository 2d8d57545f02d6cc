"""The provisioning script: `python provision.py --help`."""

import sys

from cognises.provisioning import main

if __name__ == "__main__":
    sys.exit(main())
