"""`python -m alearn` is the command `alearn`."""

from alearn.cli.main import main

if __name__ == "__main__":
    main()
