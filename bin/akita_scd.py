#!/usr/bin/env python
"""See `akita_scd.py --help`."""

import sys

from akita_bayes.cli.akita_scd import main

if __name__ == "__main__":
    sys.exit(main())
