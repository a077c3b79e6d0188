"""Holds JUnit reports against the schema of Jenkins' xUnit plugin, and counts what a consumer reads in them.

usage: judge.py SCHEMA REPORT...
prints one line a report: tests, failures, errors, skipped
"""

import sys

import junitparser
import xmlschema

schema = xmlschema.XMLSchema10(sys.argv[1])
for report in sys.argv[2:]:
    schema.validate(report)
    suites = junitparser.JUnitXml.fromfile(report)
    suites.update_statistics()
    print(suites.tests, suites.failures, suites.errors, suites.skipped)
