"""Time that passes only when somebody waits: a clock for the program and for both vendors; it knows neither.

Whoever sleeps moves the time on at once. A thread that waits for an event gets its turn when its moment comes.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from etl.clock import Clock

START = datetime(2026, 11, 22, 2, 0, tzinfo=UTC)
_LOOK_S = 0.002
_TURN_S = 0.1
"""Longest real time that a woken thread is given before time goes on without it."""


class Endless(Exception):
    """The program waited longer, or asked more often, than any run may."""


@dataclass
class _Waiter:
    due: float
    thread: threading.Thread
    event: threading.Event
    woken: bool = False
    back: threading.Event = field(default_factory=threading.Event)


class Clockwork:
    """Simulated time; `clock` is what the program is handed, `wall` what the vendors are."""

    def __init__(self, start: datetime = START) -> None:
        """Begin at a moment (UTC)."""
        self._start = start
        self._passed = 0.0
        self._lock = threading.Lock()
        self._waiters: list[_Waiter] = []
        self._turns: dict[threading.Thread, _Waiter] = {}
        self.limit_s = float("inf")
        """Seconds since the start at which waiting is called endless."""
        self.clock = Clock(self.now, self.monotonic, self.sleep, self.wait)

    def now(self) -> datetime:
        """Return the moment, UTC."""
        return self._start + timedelta(seconds=self._passed)

    def wall(self) -> float:
        """Return seconds since 1970."""
        return self._start.timestamp() + self._passed

    def monotonic(self) -> float:
        """Return seconds since the start."""
        return self._passed

    def sleep(self, seconds: float) -> None:
        """Let time pass; those whose moment comes meanwhile go first."""
        end = self._passed + max(seconds, 0.0)
        if end > self.limit_s:
            raise Endless(f"the program would wait until second {end:.0f}, the limit is {self.limit_s:.0f}")
        while True:
            with self._lock:
                first = min(self._waiters, key=lambda one: one.due, default=None)
                if first is None or first.due > end:
                    self._passed = max(self._passed, end)
                    return
                self._passed = max(self._passed, first.due)
                self._waiters.remove(first)
            _give_turn(first)

    def wait(self, event: threading.Event, seconds: float) -> bool:
        """Wait for an event, at most so many seconds of simulated time, and return whether it came."""
        me = threading.current_thread()
        waiter = _Waiter(self._passed + seconds, me, event)
        with self._lock:
            self._waiters.append(waiter)
            before = self._turns.get(me)
            self._turns[me] = waiter
        if before is not None:
            before.back.set()
        came = _sleep_until_called(waiter)
        if came:
            with self._lock:
                if waiter in self._waiters:
                    self._waiters.remove(waiter)
            waiter.back.set()
        return came


def _sleep_until_called(waiter: _Waiter) -> bool:
    """Sleep until the event comes or the moment has; looking for either again and again would cost a sixth of a story.

    What is waited for is inside the event: it is what `set` notifies.
    """
    called: threading.Condition = waiter.event._cond  # type: ignore[attr-defined]
    with called:
        called.wait_for(lambda: waiter.event.is_set() or waiter.woken)
    return waiter.event.is_set()


def _give_turn(waiter: _Waiter) -> None:
    """Let a thread whose moment has come do what it waited to do, until it waits again or ends."""
    called: threading.Condition = waiter.event._cond  # type: ignore[attr-defined]
    with called:
        waiter.woken = True
        called.notify_all()
    end = time.monotonic() + _TURN_S
    while time.monotonic() < end and waiter.thread.is_alive():
        if waiter.back.wait(_LOOK_S):
            return
