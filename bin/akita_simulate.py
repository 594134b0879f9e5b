#!/usr/bin/env python
import sys

from akita_bayes.cli.akita_simulate import main

sys.exit(main())
