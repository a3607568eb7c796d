"""The fault catalogue as a whole: 98 things that go wrong between two vendors, a machine and people.

`test_fault_table.py` sees that every fault has a test, named by the marker `fault`, or a reason why it has none.
"""

from __future__ import annotations

from runs import faults_destination, faults_people, faults_runtime, faults_source

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
