#!/usr/bin/env python
import sys

from akita_bayes.cli.mpra_fit import main

sys.exit(main())
