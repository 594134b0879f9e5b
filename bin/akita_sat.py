#!/usr/bin/env python
import sys

from akita_bayes.cli.akita_sat import main

sys.exit(main())
