"""Calls and bytes predicted from counts: sums that hold for all counts, and what single steps cost."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from etl import budget, space
from etl.budget import Calls, Sent, Tariff
from etl.learnupon import Listed
from etl.salesforce.query import MOST_POLLS

TARIFF = Tariff(poll_seconds=5.0, timeout_s=7200.0, file_bytes=90_000_000)
PACKAGE = Tariff(poll_seconds=5.0, timeout_s=7200.0, file_bytes=90_000_000, package=True)
MANY = st.integers(0, 20_000_000)
SENT = st.builds(Sent, MANY, MANY, MANY, MANY, st.booleans())
LISTED = st.builds(
    Listed,
    st.lists(MANY, max_size=6).map(tuple),
    st.integers(0, 50),
    st.integers(0, 2),
    st.booleans(),
    st.integers(0, 2),
)


@pytest.mark.parametrize(
    ("calls", "expected"),
    [
        (TARIFF.query(0), 3), (TARIFF.query(100_000), 3), (TARIFF.query(100_001), 5), (TARIFF.query(1_000_000), 16),
        (TARIFF.keyed(0), 0), (TARIFF.keyed(1), 1), (TARIFF.keyed(3_000), 10), (TARIFF.keyed(3_001), 3),
        (TARIFF.ingest(0), 0), (TARIFF.ingest(1), 7), (TARIFF.ingest(2_000_000), 5 * 12),
        (TARIFF.write(Sent(creates=1, desired=1)), 8), (TARIFF.write(Sent(deletes=1)), 8), (TARIFF.write(Sent()), 0),
        (PACKAGE.write(Sent(creates=5, desired=5), portals=2), 19), (PACKAGE.parents([Sent(updates=1)]), 8),
        (PACKAGE.parents([Sent(updates=1, profile=True)]), 0), (TARIFF.parents([Sent(updates=1)]), 0),
    ],
)  # fmt: skip
def test_what_single_steps_cost(calls: Calls, expected: int) -> None:
    """A query is made, looked at and fetched by page; a job is made, filled, closed, looked at and read three times."""
    assert calls.expected == expected


@given(SENT, SENT, st.floats(0.05, 300), st.booleans())
def test_every_job_has_its_polls(one: Sent, other: Sent, poll_seconds: float, package: bool) -> None:  # noqa: FBT001
    """What must be left is never below what is expected, every job is polled, and none more often than allowed."""
    tariff = Tariff(poll_seconds, 7200.0, 90_000_000, package)
    for calls in (tariff.write(one), tariff.query(one.desired), tariff.looked_at(one, one.written), tariff.ingest(7)):
        assert 0 <= calls.expected <= calls.most
    assert 1 <= tariff.polls(one.desired) <= MOST_POLLS
    more = Sent(*(one.__dict__[name] + other.__dict__[name] for name in ("creates", "updates", "deletes", "desired")))
    assert tariff.ingest(more.written).expected >= 7 * (more.written * 186 // 90_000_000)
    assert budget.batches([more], tariff) >= max(budget.batches([one], tariff), more.written // 10_000)


@example(Listed((10001,), 1, 0, users=True, kept=0), 1, 0, 1, 0.0, 0)  # a guess beyond all that is held
@given(LISTED, MANY, MANY, MANY, st.floats(0, 1), st.integers(0, 1000))
def test_a_portal_needs_its_pages_at_least(
    listed: Listed, members: int, rows: int, on_paths: int, share: float, questions: int
) -> None:
    """The pages listed are the least; the learners' are added; what must be left covers questions and stale counts."""
    held = {"member": members, "enrollment": rows, "path": on_paths}
    calls = budget.portal(listed, held, share=share, questions=questions)
    listings = len(listed.courses) + listed.paths + listed.learner + listed.users - listed.kept
    assert calls.expected >= max(listings, (listed.rows // 500) - listed.kept)
    assert calls.most >= calls.expected
    assert calls.most >= min(questions, members + rows + on_paths)
    assert (calls.most + listed.kept) * 500 >= (rows if listed.courses else 0)


@given(st.lists(LISTED, min_size=1, max_size=5))
def test_shares_are_parts_of_one(listed: list[Listed]) -> None:
    """The portals' parts of what is held make up all of it, whatever their counts say."""
    assert sum(budget.shares(listed)) == pytest.approx(1)


@given(MANY, MANY, MANY)
def test_disk_grows_with_what_is_there(listed: int, rows: int, more: int) -> None:
    """Every row counts, listed or held; more rows never take less."""
    held, fuller = ({"LearnUponContactEnrollment__c": count} for count in (rows, rows + more))
    assert space.of_salesforce(held) >= 220 * rows
    assert space.of_learnupon(listed, held) >= 154 * max(listed, rows)
    assert space.of_salesforce(fuller) >= space.of_salesforce(held)
    assert space.of_writes([Sent(creates=rows, desired=rows)]) <= space.of_writes(
        [Sent(creates=rows + more, desired=rows + more)]
    )
    assert space.with_slack(listed) >= listed
