"""The clock as an argument: wall time, monotonic time and sleep in one value, which can be stopped for all threads."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True)
class Clock:
    """What the product knows of time; tests hand in their own three functions."""

    now: Callable[[], datetime] = _now
    """Wall time, UTC, for stamps that people read."""
    monotonic: Callable[[], float] = time.monotonic
    """Seconds that never run backwards, for deadlines and rates."""
    sleep: Callable[[float], None] = time.sleep
    """Wait so many seconds."""
    wait: Callable[[threading.Event, float], bool] = threading.Event.wait
    """Wait for an event, at most so many seconds, and return whether it came."""


_SLICE_S = 0.5


class Stopped(Exception):
    """Ends a thread whose work nobody waits for any more; it never reaches a person."""


def stoppable(clock: Clock, stop: threading.Event) -> Clock:
    """Return a clock that ends the threads that look at it, or sleep by it, within half a second of `stop`.

    Every loop of the clients asks the clock for its deadline or its wait, so none outlives the run by more than the
    request it is in. `now` keeps working, since the report of a stopped run needs it.
    """

    def monotonic() -> float:
        if stop.is_set():
            raise Stopped
        return clock.monotonic()

    def sleep(seconds: float) -> None:
        end = monotonic() + seconds
        while (left := end - monotonic()) > 0:
            clock.sleep(min(left, _SLICE_S))

    return Clock(clock.now, monotonic, sleep, clock.wait)
