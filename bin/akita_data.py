#!/usr/bin/env python
import sys

from akita_bayes.cli.akita_data import main

sys.exit(main())
