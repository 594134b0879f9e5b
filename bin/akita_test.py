#!/usr/bin/env python
import sys

from akita_bayes.cli.akita_test import main

sys.exit(main())
