#!/usr/bin/env python
import sys

from akita_bayes.cli.mpra_predict import main

if __name__ == "__main__":
    sys.exit(main())
