"""Threads that end together: the first failure, or a signal, stops all of them; it does no work of its own."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from typing import TypeVar

from etl.clock import Stopped

Result = TypeVar("Result")


@contextmanager
def threads(count: int, stop: threading.Event) -> Iterator[ThreadPoolExecutor]:
    """Give a pool of threads; an exception that leaves the block sets `stop`, so that none goes on for nothing."""
    pool = ThreadPoolExecutor(count)
    try:
        yield pool
    except BaseException:
        stop.set()
        raise
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def first_failure(futures: Sequence[Future[Result]]) -> list[Result]:
    """Wait for all and return their results in the order given; raise the failure that came first.

    A thread that was stopped, since another one had failed, is not what failed: Stopped is raised for want of another.
    """
    stopped: BaseException | None = None
    for future in as_completed(futures):
        error = future.exception()
        if error is not None and not isinstance(error, Stopped):
            raise error
        stopped = stopped or error
    if stopped is not None:
        raise stopped
    return [future.result() for future in futures]
