#!/usr/bin/env python
import sys

from akita_bayes.cli.akita_train import main

sys.exit(main())
