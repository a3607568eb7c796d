"""Sees that every fault of the catalogue has a test or a reason for none, and every test of a fault an entry."""

from __future__ import annotations

from runs.faults import FAULTS, NOT_HERE
from runs.marked import marked


def test_every_fault_has_a_test_or_a_reason() -> None:
    """Each fault is proved by at least one test, and none is both proved and said not to apply."""
    proved = marked("fault")
    assert {
        "without a test": set(FAULTS) - proved,
        "unknown": proved - set(FAULTS),
        "proved though said not to apply": proved & set(NOT_HERE),
    } == {"without a test": set(), "unknown": set(), "proved though said not to apply": set()}
