"""Threads that end together: the first failure, or a signal, stops all of them; it does no work of its own."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, as_completed
from contextlib import contextmanager
from typing import Any, TypeVar

from etl.clock import Stopped

Result = TypeVar("Result")

_GRACE_S = 2.0
"""How long threads that were told to stop may take before they are left to themselves."""


class Crew:
    """Threads that work off what is submitted.

    Unlike those of an executor nobody waits for them when the program ends: one can hang in a request for a minute,
    and a program that was told to stop has half of that.
    """

    def __init__(self, count: int) -> None:
        """Start so many."""
        self._todo: queue.SimpleQueue[tuple[Future[Any], Callable[[], Any]] | None] = queue.SimpleQueue()
        self._threads = [threading.Thread(target=self._work, daemon=True, name=f"crew-{n}") for n in range(count)]
        for thread in self._threads:
            thread.start()

    def submit(self, call: Callable[..., Result], *arguments: Any) -> Future[Result]:
        """Have `call` made with these arguments; the future tells what came of it."""
        future: Future[Result] = Future()
        self._todo.put((future, lambda: call(*arguments)))
        return future

    def _work(self) -> None:
        while (todo := self._todo.get()) is not None:
            future, call = todo
            if not future.set_running_or_notify_cancel():
                continue
            try:
                future.set_result(call())
            except BaseException as error:  # noqa: BLE001 - it is raised again by whoever asks the future
                future.set_exception(error)

    def dismiss(self) -> None:
        """Let nothing begin that has not begun."""
        while not self._todo.empty():
            try:
                todo = self._todo.get_nowait()
            except queue.Empty:
                return
            if todo is not None:
                todo[0].cancel()

    def leave(self, seconds: float | None = None) -> None:
        """Wait until all is done, so many seconds at most."""
        for _ in self._threads:
            self._todo.put(None)
        end = None if seconds is None else time.monotonic() + seconds
        for thread in self._threads:
            thread.join(None if end is None else max(0.0, end - time.monotonic()))


@contextmanager
def threads(count: int, stop: threading.Event) -> Iterator[Crew]:
    """Give a crew of threads; an exception that leaves the block sets `stop`, so that none goes on for nothing."""
    crew = Crew(count)
    try:
        yield crew
        crew.leave()
    except BaseException:
        stop.set()
        crew.dismiss()
        crew.leave(_GRACE_S)
        raise


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
