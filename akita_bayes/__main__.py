"""Runs a command by its name: `python -m akita_bayes akita_predict --help`."""

import sys

from akita_bayes.cli.all_commands import main

if __name__ == "__main__":
    sys.exit(main())
