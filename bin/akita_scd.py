#!/usr/bin/env python
import sys

from akita_bayes.cli.akita_scd import main

sys.exit(main())
