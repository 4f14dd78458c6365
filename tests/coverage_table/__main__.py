"""Prints the page."""

import sys

from tests.coverage_table.page import page

sys.stdout.write(page())
