"""Sees that the catalogue is whole, that every fault has a test in `make test`, and every test of a fault an entry."""

from __future__ import annotations

from itertools import pairwise

from runs.faults import FAULTS, NOT_HERE, table
from runs.marked import marked, of_source

_COUNTS = {"S": 34, "D": 39, "R": 16, "C": 9}


def test_the_catalogue_is_whole() -> None:
    """The catalogue has exactly the 98 faults S1 to S34, D1 to D39, R1 to R16 and C1 to C9."""
    assert set(FAULTS) == {f"{kind}{n}" for kind, count in _COUNTS.items() for n in range(1, count + 1)}
    assert len(FAULTS) == 98


def test_every_fault_has_a_test_or_a_reason() -> None:
    """Each fault is proved by a test of `make test` or has a reason for none, never both, and no other is named."""
    found = marked("fault")
    proved = {one for test in found for one in test.ids}
    always = {one for test in found if not test.long for one in test.ids}
    assert {
        "without a test": set(FAULTS) - always - set(NOT_HERE),
        "unknown": (proved | set(NOT_HERE)) - set(FAULTS),
        "proved though said not to apply": proved & set(NOT_HERE),
    } == {"without a test": set(), "unknown": set(), "proved though said not to apply": set()}


def test_a_test_that_takes_minutes_is_told_from_others() -> None:
    """A test is left out of `make test` by its module, by its own mark, or by the marks of all of its variants."""
    variants = "@pytest.mark.parametrize('n', [1, pytest.param(2, marks=pytest.mark.long)])\n"
    rare = "@pytest.mark.parametrize('n', [pytest.param(2, marks=pytest.mark.long)])\n"
    test = "@pytest.mark.fault('R1')\ndef test_one(n): ...\n"
    sources = {
        test: False,
        variants + test: False,
        rare + test: True,
        "@pytest.mark.long\n" + test: True,
        "pytestmark = pytest.mark.long\n" + test: True,
        "pytestmark = [pytest.mark.one, pytest.mark.long]\n" + test: True,
    }
    assert [one.long for source in sources for one in of_source(source, "test_x.py", "fault")] == [*sources.values()]


def test_the_table_shows_every_fault_with_its_tests() -> None:
    """The printed table has a part for each fault, in the catalogue's order, with a test or the reason below it."""
    lines = table().splitlines()
    assert [line.split()[0] for line in lines if not line.startswith(" ")] == [*FAULTS]
    assert all(after.startswith("    ") for line, after in pairwise(lines) if line[0] != " ")
    assert "    runs/test_state_disk.py::test_a_disk_that_dies_stops_the_run" in lines
