"""Bugs in what is told, to whom, and whether the program listens when it is told something; a list, no logic."""

from __future__ import annotations

from mutants.mutant import Mutant

MUTANTS = (
    Mutant(
        id="quiet-nights-are-silent",
        bug="With -q rows that were never sent leave no word on standard error.",
        file="etl/commands/running.py",
        source="    if report.exit_code == ROWS_REFUSED:\n        head",
        planted="    if report.exit_code == ROWS_REFUSED and report.totals.refused:\n        head",
        tests=("runs/test_quiet.py::test_rows_that_were_never_sent_are_one_line",),
    ),
)
