"""Work done on a few threads: in order, no further ahead than was asked for, and its errors are not lost."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from etl.ahead import in_order


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
