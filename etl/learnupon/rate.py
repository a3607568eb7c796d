"""How fast one portal may be asked, and how much is left of its week; it sends nothing itself.

Sources: LearnUpon API documentation (limits per portal, `X-LU-Rate-Limit-Remaining-Minute` and `-Week`, the latter a
rolling week); observed in the field: the headers are absent from refusals, `Retry-After` may be absent from a 429.
"""

from __future__ import annotations

import threading
from collections import deque
from contextlib import AbstractContextManager

import requests

from etl.clock import Clock, Stopped
from etl.errors import QuotaSpent

MINUTE = "X-LU-Rate-Limit-Remaining-Minute"
WEEK = "X-LU-Rate-Limit-Remaining-Week"
_WINDOW_S = 60.25
"""A minute and what the way to the portal may squeeze out of it."""
_SLICE_S = 0.5
WEEK_FLOOR = 10
"""Calls left in the week that are never touched."""


class Rate:
    """The gate every request of a portal passes; shared by all its threads.

    At most `concurrency` requests are under way at a time, however many threads there are: some may be at work on what
    they were answered. At most `per_minute` requests in any 60 seconds, in a burst if they come so. When the portal
    says that no more are left in its minute than may be under way, nobody passes until that minute has
    turned. A `Retry-After` holds everybody, and so does, once, a second 429 in a row that names no time: facts say to
    await the next minute then, which is more than a call may wait by itself.
    """

    def __init__(self, portal: str, per_minute: int, concurrency: int, clock: Clock) -> None:
        """Start with an unknown allowance; `portal` is the name used in messages."""
        self._portal = portal
        self._per_minute = per_minute
        self._concurrency = concurrency
        self._clock = clock
        self._lock = threading.Lock()
        self._sent: deque[float] = deque()
        self._held_until = float("-inf")
        self._low_since = float("-inf")
        self._refused_since: float | None = None
        self._refusals = 0
        self._week: int | None = None
        self._needed = 0
        self._own = threading.local()
        self._places = threading.BoundedSemaphore(concurrency)
        self.stop = threading.Event()
        """Set when the reading is given up: every waiting thread raises Stopped."""

    def under_way(self) -> AbstractContextManager[object]:
        """Return what a request holds while it is under way; whoever finds all of them taken waits."""
        return self._places

    def before(self) -> None:
        """Return when a request may be sent; raises QuotaSpent when the week's allowance would not last."""
        while True:
            if self.stop.is_set():
                raise Stopped
            with self._lock:
                self._spare_the_week()
                wait = self._wait(self._clock.monotonic())
            if wait <= 0:
                return
            self._clock.sleep(min(wait, _SLICE_S))

    def _wait(self, now: float) -> float:
        if now < self._held_until:
            return self._held_until - now
        while self._sent and self._sent[0] <= now - _WINDOW_S:
            self._sent.popleft()
        if len(self._sent) >= self._per_minute:
            return self._sent[0] + _WINDOW_S - now
        self._sent.append(now)
        self._own.sent = now
        return 0.0

    @property
    def week_left(self) -> int | None:
        """Return what the portal last said is left of the week's allowance; None while it has not said."""
        return self._week

    def _spare_the_week(self) -> None:
        if self._week is not None and self._week < self._needed + WEEK_FLOOR:
            raise QuotaSpent(
                f"portal {self._portal}: at least {max(self._needed, 1)} more calls are needed and {self._week} are "
                f"left of this week's allowance ({WEEK_FLOOR} are kept); stopped before it is gone, run again later"
            )

    def after(self, response: requests.Response) -> None:
        """Learn what is left from an answer's headers; an absent or unreadable one says nothing."""
        minute, week = _count(response, MINUTE), _count(response, WEEK)
        with self._lock:
            now = self._clock.monotonic()
            if week is not None:
                self._week = week
            if response.status_code == 429:
                self._refused(now, named="Retry-After" in response.headers)
            elif response.ok:
                self._refusals, self._refused_since = 0, None
            if minute is not None and minute <= self._concurrency and getattr(self._own, "sent", now) > self._low_since:
                self._low_since = now
                oldest = self._sent[0] if self._sent else now
                self._held_until = max(self._held_until, now + 1.0, oldest + _WINDOW_S)

    def _refused(self, now: float, *, named: bool) -> None:
        self._refusals += 1
        if self._refused_since is None:
            self._refused_since = now
        if self._refusals == 2 and not named:
            self._held_until = max(self._held_until, self._refused_since + _WINDOW_S)

    def hold(self, seconds: float) -> None:
        """Let nobody pass for so many seconds."""
        with self._lock:
            self._held_until = max(self._held_until, self._clock.monotonic() + seconds)

    def expect(self, calls: int) -> None:
        """Say how many calls are needed at least from now on; the week is compared with it."""
        with self._lock:
            self._needed = calls

    def met(self, calls: int = 1) -> None:
        """Say that so many of the expected calls were made."""
        with self._lock:
            self._needed = max(0, self._needed - calls)


def _count(response: requests.Response, header: str) -> int | None:
    text = response.headers.get(header, "").strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None
