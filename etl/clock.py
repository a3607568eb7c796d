"""The clock as an argument: wall time, monotonic time and sleep in one value; it keeps no time of its own."""

from __future__ import annotations

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
