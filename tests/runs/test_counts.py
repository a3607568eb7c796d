"""Reads of Salesforce that end in success and lack rows: each is held against Salesforce's own count of the rows."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from runs.org_time import OrgTime
from runs.small_world import furnish, quick, stopped
from runs.stage import CONTACT_ROWS, MEMBERSHIP, Stage

from etl.emulator.faults import Fault
from etl.emulator.messages import Request
from etl.emulator.salesforce import ids

pytestmark = pytest.mark.usefixtures("in_full")

_COUNT = r"GET .*/query\?.*COUNT"


def _counts(stage: Stage) -> list[str]:
    return [call.target for call in stage.emu.salesforce.calls if "COUNT" in call.target]


def _next_job(stage: Stage) -> str:
    jobs = stage.emu.salesforce.app.bulk.jobs  # type: ignore[attr-defined]
    return ids.make("750", jobs.made + 1)


def _queries(stage: Stage) -> int:
    return sum(call.method == "POST" and call.target.endswith("/jobs/query") for call in stage.emu.salesforce.calls)


@pytest.mark.fault("D19")
@pytest.mark.parametrize("name", [CONTACT_ROWS, MEMBERSHIP, "Contact"])
def test_a_silently_incomplete_read_is_refused(stage: Stage, name: str) -> None:
    """A query job that says it is complete and lacks one row ends the run with 69: no row is created or deleted."""
    furnish(stage)
    stage.synced()
    there = len(stage.rows(name)) if name != "Contact" else 3
    stage.org.unseen_rows = {name: 1}
    result = stage.run(clock=quick())
    stopped(result, 69, name, f"{there - 1} rows were read", f"counted {there} before and {there} after", "run again")
    stage.org.unseen_rows = {}
    stage.settled()


@pytest.mark.fault("D18")
def test_a_read_that_finds_nothing_is_refused_while_rows_are_counted(stage: Stage) -> None:
    """An empty result with success does not make the CRM empty: nothing is created again, the run ends with 69."""
    furnish(stage)
    stage.synced()
    stage.org.unseen_rows = {CONTACT_ROWS: 1_000_000}
    stopped(stage.run(clock=quick()), 69, "0 rows were read", "counted 4 before and 4 after", "may read all rows")
    stage.org.unseen_rows = {}
    stage.settled()


def test_one_count_an_object_is_all_it_costs(stage: Stage) -> None:
    """As many rows read as counted beforehand: eight objects, eight counts, and no second one."""
    furnish(stage)
    stage.synced()
    stage.synced()
    assert (len(_counts(stage)), _queries(stage)) == (8, 8)


def test_a_read_in_many_small_pages_is_whole(stage: Stage) -> None:
    """Pages of two rows, where far more were asked for, are read to the last: a second run has nothing to do."""
    world = furnish(stage)
    for _ in range(2):
        stage.enroll(world.learners[1], world.second_course)
    stage.org.query_page_rows = 2
    stage.synced()
    assert len(stage.rows(CONTACT_ROWS)) == 6
    stage.settled()
    further = [call.target for call in stage.emu.salesforce.calls if "/results?" in call.target]
    assert sum("locator=" in target for target in further) >= 2


def test_rows_that_come_or_go_during_the_read_are_no_loss(stage: Stage) -> None:
    """Somebody adds a row, or deletes and adds one, between count and read: the second count, or what changed, fits."""
    time = OrgTime(stage)
    furnish(stage)
    stage.synced()
    (membership, *_) = (row["Id"] for row in stage.rows(MEMBERSHIP).values())

    def add(number: int) -> None:
        fields = {"LU_Key__c": f"12345:enrollment:9{number}", "LearnUpon_Portal_Membership__c": membership}
        stage.org.insert(CONTACT_ROWS, {**fields, "Status__c": "Passed", "Removed_In_LearnUpon__c": True}, record=False)

    def swap() -> None:
        time.jump(1)
        stage.org.delete(CONTACT_ROWS, stage.row(CONTACT_ROWS, "12345:enrollment:91")["Id"], record=False)

    _before_the_query(stage, lambda: add(1))
    result = stage.run(clock=quick())
    assert (result.code, result.effects, len(_counts(stage))) == (0, [], 9), result.err
    # one is gone before the read, another there before the second count: both counts say five, and four rows came
    _before_the_query(stage, swap)
    counted = f"{_COUNT}.* FROM {CONTACT_ROWS}"
    stage.emu.salesforce_faults.add(Fault(counted, nth=2, hook=lambda _: add(2)))
    result = stage.run(clock=quick())
    assert (result.code, result.effects, len(_counts(stage))) == (0, [], 10), result.err


def _before_the_query(stage: Stage, happens: Callable[[], object]) -> None:
    """Let something happen once between the count of a Contact's rows and the query that reads them."""
    left = [happens]

    def look(request: Request) -> None:
        if f" FROM {CONTACT_ROWS} ".encode() in request.body and left:
            left.pop()()

    stage.emu.salesforce_faults.add(Fault("POST .*/jobs/query$", times=None, hook=look))


def test_too_many_rows_to_count_by_rest_are_counted_by_a_query_job(stage: Stage) -> None:
    """Millions of rows take REST too long to count: query jobs count them, whose rows nobody fetches."""
    furnish(stage)
    stage.synced()
    body = '[{"errorCode":"QUERY_TIMEOUT","message":"Your query request was running for too long."}]'
    stage.emu.salesforce_faults.add(Fault(_COUNT, times=None, status=400, body=body))
    stage.settled()
    fetched = [
        call.target for call in stage.emu.salesforce.calls if "/jobs/query/" in call.target and "?" in call.target
    ]
    assert (_queries(stage), len(fetched)) == (16, 8)


@pytest.mark.fault("D17")
def test_results_that_are_gone_are_asked_for_by_a_new_job(stage: Stage) -> None:
    """404 on a page of results: the query is made once more from the start; gone again, the run ends with 69."""
    furnish(stage)
    stage.synced()
    body = '[{"errorCode":"NOT_FOUND","message":"The requested resource does not exist"}]'
    results = f"GET .*/jobs/query/{_next_job(stage)}/results"
    stage.emu.salesforce_faults.add(Fault(results, times=2, status=404, body=body))
    stage.settled()
    assert _queries(stage) == 9
    stage.emu.salesforce_faults.add(Fault("GET .*/jobs/query/.*/results", times=None, status=404, body=body))
    stopped(stage.run(clock=quick()), 69, "query job 750", "404", "run again later")


def test_a_query_job_that_failed_is_made_once_more(stage: Stage) -> None:
    """A query job that ends Failed is replaced by one new job; when that fails too, the run ends with 69."""
    furnish(stage)
    stage.synced()
    failed = Fault("GET .*/jobs/query/750[^/]*$", when="mid", replace=('"JobComplete"', '"Failed"'))
    stage.emu.salesforce_faults.add(failed)
    stage.settled()
    stage.emu.salesforce_faults.add(Fault(failed.match, when="mid", times=None, replace=failed.replace))
    stopped(stage.run(clock=quick()), 69, "query job 750", "ended Failed", "run again later")
