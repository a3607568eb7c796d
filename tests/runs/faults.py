"""The fault catalogue as a whole: 98 things that go wrong between two vendors, a machine and people.

`test_fault_table.py` sees that every fault has a test, named by the marker `fault`, or a reason why it has none.
`PYTHONPATH=tests python -m runs.faults` prints each fault with its tests.
"""

from __future__ import annotations

import sys

from runs import faults_destination, faults_people, faults_runtime, faults_source
from runs.marked import marked

FAULTS: dict[str, str] = {
    **faults_source.SOURCE,
    **faults_destination.DESTINATION,
    **faults_runtime.RUNTIME,
    **faults_people.PEOPLE,
}
NOT_HERE: dict[str, str] = {
    **faults_source.NOT_HERE,
    **faults_destination.NOT_HERE,
    **faults_runtime.NOT_HERE,
    **faults_people.NOT_HERE,
}


def table() -> str:
    """Return every fault with what a run must do about it, and below it the tests that prove it."""
    tests = marked("fault")
    lines = []
    for fault, sentence in FAULTS.items():
        lines.append(f"{fault}  {sentence}")
        lines.extend(f"    {one.test}{' (takes minutes)' if one.long else ''}" for one in tests if fault in one.ids)
        lines.extend([f"    no test: {NOT_HERE[fault]}"] if fault in NOT_HERE else [])
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.stdout.write(table())
