"""Salesforce's own time in a test's hand: it goes on by itself, and jumps when told; and what the run object holds."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from runs.result import RUN_LOG
from runs.stage import Stage

from etl.clock import Clock

BEATS_A_SECOND = 20


@dataclass
class OrgTime:
    """The clock of the stage's org."""

    stage: Stage
    ahead_s: float = 0.0

    def __post_init__(self) -> None:
        """Take over the org's clock."""
        self.stage.org.clock = self.now

    def now(self) -> float:
        """Return seconds since 1970."""
        return time.time() + self.ahead_s

    def jump(self, minutes: float) -> None:
        """Let so much time pass."""
        self.ahead_s += minutes * 60

    def text(self, minutes_ago: float = 0.0) -> str:
        """Return a time as the org stores it."""
        return f"{datetime.fromtimestamp(self.now() - minutes_ago * 60, UTC):%Y-%m-%dT%H:%M:%S.000Z}"


def brisk(*, wrong_by: timedelta = timedelta()) -> Clock:
    """Return a clock on which the two minutes between two signs of life pass in a twentieth of a second."""
    return Clock(
        now=lambda: datetime.now(UTC) + wrong_by,
        wait=lambda event, seconds: threading.Event.wait(event, seconds / 120 / BEATS_A_SECOND),
    )


def records(stage: Stage, prefix: str) -> dict[str, dict[str, Any]]:
    """Return the run object's live records whose key begins with a prefix, by key."""
    rows = stage.org.rows(RUN_LOG)
    return {str(row["LU_Key__c"]): row for row in rows if str(row["LU_Key__c"]).startswith(prefix)}


def lease_of(stage: Stage, key: str, alive: str, run_id: str = "20260101T000000Z-dead") -> str:
    """Make a lease as another run would have left it, and return its id."""
    fields = {"LU_Key__c": f"lease:{key}", "Run_Id__c": run_id, "Command__c": "run", "Outcome__c": "lease 0"}
    return stage.org.insert(RUN_LOG, {**fields, "Started_At__c": alive, "Heartbeat_At__c": alive})
