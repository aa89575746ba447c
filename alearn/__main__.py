"""`python -m alearn` is the command `alearn`."""

import sys

from alearn.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
