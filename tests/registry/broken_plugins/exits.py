"""Breaks: it ends the process as soon as it is imported."""

import sys

sys.exit("no licence found")
