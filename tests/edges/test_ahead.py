"""Work done on a few threads: in order, no further ahead than was asked for, and its errors are not lost."""

from __future__ import annotations

import threading
import time
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest
from salesforce_kit import Plans, enrollment_row, loader, member_row, portal_row, world

from etl.ahead import in_order, one_ahead
from etl.emulator.faults import Fault
from etl.schema import CONTACT_ENROLLMENT, MEMBERSHIP, PORTAL


def test_results_come_in_order_though_the_first_takes_longest() -> None:
    """The order is that of the questions, not of the answers."""
    second_done = threading.Event()

    def work(number: int) -> int:
        if number == 0:
            assert second_done.wait(10), "the second was not worked on meanwhile"
        if number == 1:
            second_done.set()
        return number

    assert list(in_order(work, ((number,) for number in range(9)), at_once=2)) == list(range(9))


@pytest.mark.parametrize("at_once", [1, 2, 3])
def test_no_more_is_taken_than_is_worked_on(at_once: int) -> None:
    """Of what is to be done no more is held than is worked on at once, beside the one that comes next."""
    taken = 0

    def several() -> Iterator[tuple[int]]:
        nonlocal taken
        for number in range(20):
            taken += 1
            yield (number,)

    for given, _ in enumerate(in_order(lambda number: number, several(), at_once=at_once), 1):
        assert taken <= given + at_once


@pytest.mark.parametrize("at_once", [1, 2])
def test_an_error_is_raised_where_its_result_was_awaited(at_once: int) -> None:
    """What came before an error is given, and then the error is raised."""

    def work(number: int) -> float:
        return 1 / (3 - number)

    found = in_order(work, ((number,) for number in range(9)), at_once=at_once)
    assert [next(found) for _ in range(3)] == [1 / 3, 1 / 2, 1.0]
    with pytest.raises(ZeroDivisionError):
        next(found)


def test_one_at_a_time_needs_no_thread() -> None:
    """With one at a time the caller does it."""
    found = list(in_order(threading.get_ident, [(), ()], at_once=1))
    assert found == [threading.get_ident()] * 2


class Items:
    """Numbers that are made one by one, and what became of the making of them."""

    def __init__(self, count: int) -> None:
        """Make so many."""
        self.made: list[int] = []
        self.is_made = [threading.Event() for _ in range(count)]
        self.closed = False

    def give(self) -> Generator[float]:
        """Make the numbers; a zero of the divisor is the error of the last one."""
        try:
            for number, made in enumerate(self.is_made):
                self.made.append(number)
                made.set()
                yield 1 / (len(self.is_made) - 1 - number)
        finally:
            self.closed = True


def test_the_next_is_made_while_one_is_used_and_none_beyond() -> None:
    """Whoever uses one finds the next being made already, though nobody has asked for it, and not the one after it."""
    items = Items(4)
    given = one_ahead(items.give())
    assert items.made == [], "nothing is made before it is asked for"
    for number in range(3):
        assert next(given) == 1 / (3 - number)
        assert items.is_made[number + 1].wait(10)
        assert len(items.made) == number + 2
    with pytest.raises(ZeroDivisionError):
        next(given)
    assert items.closed


def test_what_is_made_for_nobody_is_waited_for_and_closed() -> None:
    """Closed early, nothing is being made any more and what makes it has ended; an end comes once all is given."""
    items = Items(9)
    given = one_ahead(items.give())
    next(given)
    given.close()
    assert items.closed
    assert len(items.made) <= 2
    assert list(one_ahead(number for number in range(5))) == [0, 1, 2, 3, 4]
    assert list(one_ahead(number for number in range(0))) == []


def test_a_file_is_made_while_salesforce_works_on_the_one_before(tmp_path: Path) -> None:
    """While a job is awaited the file of the next object is made, and no other: the disk holds two."""
    with world() as served:
        org, folder = served.connect(), tmp_path / "plan"
        (person,) = served.people(1)
        plans = Plans(folder)
        plans.create(PORTAL, portal_row())
        plans.create(MEMBERSHIP, member_row(person, 1))
        plans.create(CONTACT_ENROLLMENT, enrollment_row(person, 1, 1))
        load = loader(org, folder)
        there: list[set[str]] = []

        def look(_: object) -> None:
            end = time.monotonic() + 10
            while len(names := {path.name for path in load.folder.glob("*-000.csv")}) < 2 and time.monotonic() < end:
                time.sleep(0.01)
            there.append(names)

        served.faults.add(Fault("GET .*jobs/ingest/[^/?]+$", hook=look))
        load.apply(plans)
    assert there == [{f"{entity.name}-000.csv" for entity in (PORTAL, MEMBERSHIP)}]
    assert list(load.folder.glob("*.csv")) == []
