#!/usr/bin/env python
import sys

from akita_bayes.cli.akita_report import main

if __name__ == "__main__":
    sys.exit(main())
