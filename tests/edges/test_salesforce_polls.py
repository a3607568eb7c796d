"""No job is looked at more than 200 times, however short its first wait and long the patience; time is played."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from salesforce_kit import Notes, Plans, World, loader, portal_row, world

from etl.clock import Clock
from etl.emulator.faults import Fault
from etl.errors import OutcomeUnknown, Unavailable
from etl.salesforce.adopt import adopt
from etl.salesforce.org import Org
from etl.salesforce.query import bulk_rows, schedule
from etl.salesforce.snapshot import columns_of
from etl.schema import PORTAL

MOST = 200
DAY_S = 24 * 3600.0
PATIENT: dict[str, Any] = {"poll_seconds": 0.05, "job_timeout_minutes": DAY_S / 60}
_JOB = r"^GET \S*/jobs/(query|ingest)/\w+$"


class Played:
    """Time that passes by sleeping only, and costs nothing."""

    def __init__(self) -> None:
        """Start at zero."""
        self.seconds = 0.0

    def clock(self) -> Clock:
        """Return the clock."""
        return Clock(monotonic=lambda: self.seconds, sleep=self._sleep)

    def _sleep(self, seconds: float) -> None:
        self.seconds += seconds


def connect(served: World, time: Played) -> Org:
    """Return a client with a day's patience for which time is played."""
    return Org.connect(served.settings(**PATIENT), clock=time.clock(), random=Random(1))  # noqa: S311 - jitter


def looks(served: World) -> list[int]:
    """Return how often each job was looked at."""
    asked = Counter(one.target for one in served.emulators.salesforce.calls if one.method == "GET")
    return [count for target, count in asked.items() if target.rsplit("/", 2)[-2] in {"query", "ingest"}]


def test_a_stuck_query_job() -> None:
    """A query job that does not end in a day, first looked at after 0.05 s, is given up after at most 200 looks."""
    with world() as served:
        time = Played()
        org = connect(served, time)
        served.faults.add(Fault(_JOB, times=None, when="mid", replace=("JobComplete", "InProgress")))
        with pytest.raises(Unavailable, match="after the time allowed"):
            list(bulk_rows(org, "SELECT Id FROM LearnUpon_Portal__c", columns_of(org, PORTAL)[:1]))
        assert max(looks(served)) <= MOST
        assert DAY_S <= time.seconds < DAY_S * 1.01


def test_a_stuck_ingest_job(tmp_path: Path) -> None:
    """So is an ingest job whose close was unclear four times; it is 75, and the next run looks as seldom."""
    with world() as served:
        time, notes = Played(), Notes()
        served.store.stuck_jobs = True
        served.faults.add(Fault("PATCH .*jobs/ingest/", times=4, reset=True))
        plans = Plans(tmp_path)
        plans.create(PORTAL, portal_row())
        with pytest.raises(OutcomeUnknown, match="still InProgress after 1440 minutes"):
            loader(connect(served, time), tmp_path, notes).apply(plans)
        assert 150 < max(looks(served)) <= MOST
        assert time.seconds < DAY_S * 1.01
        served.emulators.salesforce.reset_calls()
        with pytest.raises(OutcomeUnknown):
            adopt(connect(served, time), [notes])
        assert 150 < max(looks(served)) <= MOST


@settings(max_examples=40)
@given(
    poll_seconds=st.floats(0.05, 3600),
    timeout_s=st.floats(1, 30 * DAY_S),
)
def test_the_waits_last_as_long_as_the_patience(poll_seconds: float, timeout_s: float) -> None:
    """With any settings the looks are at most 195, rarer and rarer, and enough for all of the time allowed."""
    waits = list(schedule(poll_seconds, timeout_s))
    assert len(waits) <= 195
    assert waits[0] == poll_seconds
    assert waits == sorted(waits)
    assert sum(waits) >= timeout_s
