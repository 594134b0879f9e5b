#!/usr/bin/env python
import sys

from akita_bayes.cli.akita_distill import main

if __name__ == "__main__":
    sys.exit(main())
