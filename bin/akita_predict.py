#!/usr/bin/env python
import sys

from akita_bayes.cli.akita_predict import main

sys.exit(main())
