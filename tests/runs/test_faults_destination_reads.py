"""Faults of Salesforce around reading and signing in: pages cut or endless, maintenance, another host, the clock."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from runs.afterwards import at_rest
from runs.listener import Listener
from runs.small_world import furnish, quick, stopped
from runs.stage import CONTACT_ROWS, Stage
from runs.told import told
from signing_keys import certificate_of, private_key

from etl.clock import Clock
from etl.emulator.faults import Fault

pytestmark = pytest.mark.usefixtures("in_full")

_PAGES = r"/jobs/query/\w+/results"
_SHORT = {"Sforce-NumberOfRecords": "9"}
_PAGE = "<html><body>We are down for maintenance.</body></html>"


@pytest.mark.fault("D14")
@pytest.mark.parametrize(
    "cut",
    [
        pytest.param(Fault(match=_PAGES, nth=2, when="mid", headers=_SHORT), marks=pytest.mark.long),
        Fault(match=_PAGES, nth=2, when="mid", close_after_bytes=60, honest_length=False),
        pytest.param(Fault(match=_PAGES, nth=2, when="mid", close_after_bytes=60), marks=pytest.mark.long),
    ],
    ids=["at a line's end", "within a line", "before its length"],
)
def test_a_page_that_is_not_whole_is_fetched_again(stage: Stage, cut: Fault) -> None:
    """A page with fewer rows than it says is fetched once more: one slip costs a request, and no row is made twice."""
    furnish(stage)
    stage.synced()
    stage.emu.salesforce_faults.add(cut)
    stage.settled()
    assert stage.emu.salesforce_faults.fired


@pytest.mark.fault("D14")
def test_pages_that_are_never_whole_stop_the_run(stage: Stage) -> None:
    """Pages that stay short are no answer: 69 with the numbers and the job, nothing written."""
    furnish(stage)
    stage.synced()
    stage.emu.salesforce_faults.add(Fault(match=_PAGES, when="mid", headers=_SHORT, times=None))
    result = stage.run(clock=quick())
    stopped(result, 69, "a page of 9 rows came with ", "query job 750")
    told(result, 69)


@pytest.mark.fault("D15")
@pytest.mark.parametrize(
    "without",
    [
        {"drop_headers": ["Sforce-Locator"]},
        pytest.param({"headers": {"Sforce-Locator": ""}}, marks=pytest.mark.long),
    ],
)
def test_only_the_word_null_ends_a_result(stage: Stage, without: dict[str, object]) -> None:
    """An answer without a locator, or with an empty one, does not say that it is the last: 69, nothing written."""
    furnish(stage)
    fault = Fault.from_json({"match": _PAGES, "when": "mid", "times": None, **without})
    stage.emu.salesforce_faults.add(fault)
    result = stage.run(clock=quick())
    stopped(result, 69, "without Sforce-Locator", "query job 750")
    told(result, 69)


@pytest.mark.fault("D16")
def test_a_result_that_goes_in_circles_is_left(stage: Stage) -> None:
    """A locator that comes a second time leads nowhere: 69 at once, nothing written."""
    furnish(stage)
    circle = base64.urlsafe_b64encode(b"0:circle:0").decode()
    stage.emu.salesforce_faults.add(
        Fault(match=_PAGES, when="mid", headers={"Sforce-Locator": circle.rstrip("=")}, times=None)
    )
    result = stage.run(clock=quick())
    stopped(result, 69, "came twice", "query job 750")
    told(result, 69)
    assert len([call for call in result.salesforce_calls if "/results" in call.target]) <= 8 * 2 * 2


@pytest.mark.fault("D35")
@pytest.mark.parametrize(
    ("where", "status"),
    [
        (_PAGES, 200),
        ("/describe", 503),
        pytest.param(_PAGES, 503, marks=pytest.mark.long),
        pytest.param("/describe", 200, marks=pytest.mark.long),
    ],
)
def test_a_maintenance_page_is_no_answer(stage: Stage, where: str, status: int) -> None:
    """A page for people instead of data, whatever its status: 69 after a few attempts, nothing written."""
    furnish(stage)
    stage.emu.salesforce_faults.add(Fault(match=where, status=status, body=_PAGE, times=None))
    result = stage.run(clock=quick())
    stopped(result, 69, "maintenance")
    told(result, 69, "run again later")


@pytest.mark.fault("D35")
def test_a_maintenance_that_begins_between_two_jobs(stage: Stage) -> None:
    """When jobs cannot be made any more the run stops with 69 and says what was written; the next one goes on."""
    furnish(stage)
    fault = Fault(match=r"POST \S*/jobs/ingest$", nth=3, status=200, body=_PAGE, times=None)
    stage.emu.salesforce_faults.add(fault)
    result = stage.run(clock=quick())
    told(result, 69, f"upsert of {CONTACT_ROWS}", "its 4 rows were not written", "5 rows had been written")
    stage.emu.salesforce_faults.clear()
    assert stage.synced().counts(CONTACT_ROWS)["created"] == 4
    at_rest(stage)


@pytest.fixture
def listener() -> Iterator[Listener]:
    """Give another host that keeps what it is told."""
    with Listener() as made:
        yield made


@pytest.mark.fault("D36")
def test_a_token_is_shown_to_no_other_host(stage: Stage, listener: Listener) -> None:
    """When the sign-in names an instance elsewhere, it is refused with 77, and that host sees not one request."""
    furnish(stage)
    away = (stage.emu.salesforce.url, listener.url)
    stage.emu.salesforce_faults.add(Fault(match="/oauth2/token", when="mid", replace=away, times=None))
    result = stage.run(clock=quick())
    stopped(result, 77, "names an instance", "nothing was sent there")
    told(result, 77)
    assert listener.told == []


@pytest.mark.fault("D37")
@pytest.mark.parametrize(("hours", "side"), [(-2, "behind"), pytest.param(2, "ahead of", marks=pytest.mark.long)])
def test_a_clock_that_is_wrong_is_named(stage: Stage, tmp_path: Path, hours: int, side: str) -> None:
    """A sign-in by JWT that Salesforce refuses since this machine's clock is wrong: 77 with the difference."""
    path, _ = private_key(tmp_path)
    stage.org.sessions.register_jwt(certificate_of(path), stage.settings["salesforce"]["client_id"])
    username = stage.org.rows("User")[0]["Username"]
    stage.configure(salesforce={"auth": "jwt", "username": username, "private_key_file": str(path)})
    del stage.settings["salesforce"]["client_secret"]
    result = stage.run(clock=Clock(now=lambda: datetime.now(UTC) + timedelta(hours=hours)))
    stopped(result, 77, "invalid_grant")
    told(result, 77, f"s {side} Salesforce's", "set it right")
    assert stage.run().code == 0


@pytest.mark.fault("D35")
def test_a_maintenance_that_begins_after_the_writes(stage: Stage) -> None:
    """When what was written cannot be read back: 69, and no word says that nothing was written."""
    furnish(stage)
    back = r"^GET .*/query/?\?.*SELECT.Id.*FROM.LearnUpon_Portal__c"
    stage.emu.salesforce_faults.add(Fault(match=back, status=200, body="[]", times=None))
    told(stage.run(clock=quick()), 69, "12 rows had been written")
    stage.emu.salesforce_faults.clear()
    stage.settled()
