#!/usr/bin/env python
import sys

from akita_bayes.cli.akita_export import main

sys.exit(main())
