#!/usr/bin/env python
import sys

from akita_bayes.cli.akita_demo import main

sys.exit(main())
