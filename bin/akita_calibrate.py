#!/usr/bin/env python
import sys

from akita_bayes.cli.akita_calibrate import main

sys.exit(main())
