"""Reads JUnit reports as a consumer does, and prints what it counts.

usage: judge.py REPORT...
prints one line a report: tests, failures, errors, skipped
"""

import sys

import junitparser

for report in sys.argv[1:]:
    suites = junitparser.JUnitXml.fromfile(report)
    suites.update_statistics()
    print(suites.tests, suites.failures, suites.errors, suites.skipped)
