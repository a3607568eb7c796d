"""A portal's two request allowances, per minute and per week; it answers no requests.

API documents, rate limits: counted per portal, the week rolling. That the minute is a clock minute is assumed
from a public client which waits for the start of the next one.
"""

from __future__ import annotations

import math
import threading
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

WEEK_SECONDS = 7 * 24 * 3600


@dataclass(frozen=True)
class Grant:
    """What became of one request: what is left after it, and which limit refused it (None = granted)."""

    minute_left: int
    week_left: int
    refused_by: str | None
    wait_s: int


class Allowance:
    """Counts requests of one portal; refused ones are not counted (assumed). Thread safe."""

    def __init__(self, wall: Callable[[], float]) -> None:
        """Start with nothing used; `wall` gives seconds since 1970."""
        self._wall = wall
        self._windows: deque[list[float]] = deque()  # [start of the minute, requests in it], oldest first
        self._week_used = 0
        self._lock = threading.Lock()

    def take(self, per_minute: int, per_week: int, minute_s: float) -> Grant:
        """Ask for one request at this moment."""
        now = self._wall()
        start = math.floor(now / minute_s) * minute_s
        with self._lock:
            self._forget(now)
            current = self._windows[-1] if self._windows and self._windows[-1][0] == start else None
            used = int(current[1]) if current else 0
            refused_by = "minute" if used >= per_minute else "week" if self._week_used >= per_week else None
            if refused_by is None:
                used += 1
                self._week_used += 1
                if current is None:
                    self._windows.append([start, 1])
                else:
                    current[1] += 1
            wait = math.ceil(start + minute_s - now) if refused_by != "week" else WEEK_SECONDS
            return Grant(max(0, per_minute - used), max(0, per_week - self._week_used), refused_by, max(1, wait))

    def _forget(self, now: float) -> None:
        while self._windows and self._windows[0][0] < now - WEEK_SECONDS:
            self._week_used -= int(self._windows.popleft()[1])
