"""Putting a run back after other things have happened: people's changes, later runs, refused rows, other commands."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from runs.afterwards import held
from runs.package_org import SPACE, api, local
from runs.result import Result
from runs.saved_plans import APPLY, changes_of_every_kind, plan_into
from runs.small_world import quick
from runs.stage import CONTACT_ROWS, MEMBERSHIP, Row, Stage
from runs.undo_world import UNDO, State, created, differing, left, run_id, undone

from etl.emulator.faults import Fault
from etl.emulator.salesforce.refusal import Refusal


def small(stage: Stage) -> tuple[State, Result, dict[str, str]]:
    """Let a small night pass; return what was there before, the run, and keys by name."""
    ids = changes_of_every_kind(stage)
    before = held(stage)
    keys = {name: f"12345:enrollment:{number}" for name, number in ids.items()}
    return before, stage.synced(), keys


def test_an_undo_is_put_back_too(stage: Stage) -> None:
    """An undo is a run like any other: put back, the changed rows are as the first run had left them."""
    before, run, keys = small(stage)
    after = held(stage)
    back = undone(stage, run)
    assert differing(before, held(stage)) == {}
    assert listed(stage)[run_id(run)] == ("ok, undone", run_id(back))
    again = undone(stage, back)
    assert listed(stage)[run_id(run)] == ("ok", "")
    assert listed(stage)[run_id(back)] == ("ok, undone", run_id(again))
    assert differing(after, held(stage)) == {}
    assert created(after, held(stage)) == left(again, "created") == {(CONTACT_ROWS, keys["dropped"])}
    stage.synced()
    assert held(stage) == after


def listed(stage: Stage) -> dict[str, tuple[str, str]]:
    """Return the outcome that `runs` shows for each run, and what it says put the run back."""
    runs = json.loads(stage.run("runs", "--json").out)
    table = stage.run("runs").out.splitlines()
    shown = {line.split()[0]: re.split(r" {2,}", line)[3] for line in table[1:]}
    return {one["run_id"]: (shown[one["run_id"]], one["undone_by"]) for one in runs}


def test_what_people_changed_since_is_left_and_named(stage: Stage) -> None:
    """A field that somebody changed stays, whatever --yes says; a row deleted or made again by hand stays so too."""
    before, run, keys = small(stage)
    row, dropped = stage.row(CONTACT_ROWS, keys["changed"]), before[CONTACT_ROWS][keys["dropped"]]
    stage.org.update(CONTACT_ROWS, row["Id"], {"Score__c": 5})
    contact = dropped["SFContact__c"]
    stage.org.update("Contact", contact, {"LU_Number_Enrolled__c": 77})
    stage.org.insert(CONTACT_ROWS, {**_own(dropped, stage), "Score__c": 1})
    gone = next(key for key in run.done("Contact", "update") if key != contact)
    stage.org.delete("Contact", gone)
    result = undone(stage, run)
    assert result.sent(CONTACT_ROWS)[keys["changed"]].keys() >= {"Status__c"}
    now = stage.row(CONTACT_ROWS, keys["changed"])
    assert (now["Score__c"], now["Status__c"]) == (5, before[CONTACT_ROWS][keys["changed"]]["Status__c"])
    assert stage.row(CONTACT_ROWS, keys["dropped"])["Score__c"] == 1
    assert stage.person(contact)["LU_Number_Enrolled__c"] == 77
    columns = {line["key"]: line["columns"] for line in result.table("left.csv") if line["reason"] == "changed since"}
    assert columns == {keys["changed"]: "Score__c", contact: "LU_Number_Enrolled__c"}
    assert left(result, "there again") == {(CONTACT_ROWS, keys["dropped"])}
    assert left(result, "deleted since") == {("Contact", gone)}
    for words in (
        "2 rows were changed again",
        "1 rows that the run changed were deleted",
        "1 rows that the run deleted",
    ):
        assert words in result.warnings


def _own(row: Row, stage: Stage) -> Row:
    """Return a row's fields as they can be inserted: the parent by its record id."""
    parent = stage.row(MEMBERSHIP, str(row["LearnUpon_Portal_Membership__c"]))["Id"]
    fields = {name: value for name, value in row.items() if name.endswith("__c")}
    return {**fields, "LearnUpon_Portal_Membership__c": parent}


@pytest.mark.long
def test_later_runs_are_put_back_first(stage: Stage) -> None:
    """What a later run changed again is left; put back the later run, then the earlier one, and all is as it was."""
    before, run, keys = small(stage)
    stage.academy.change_enrollment(int(keys["changed"].split(":")[2]), status="failed")
    later = stage.synced()
    first = undone(stage, run)
    assert (CONTACT_ROWS, keys["changed"]) in left(first, "changed since")
    assert stage.row(CONTACT_ROWS, keys["changed"])["Status__c"] == "Failed"
    undone(stage, later)
    undone(stage, run)
    assert differing(before, held(stage)) == {}


def test_refused_rows(stage: Stage) -> None:
    """A row that was refused to the run is not touched; one refused to the undo is listed, and sent next time."""
    ids = changes_of_every_kind(stage)
    before = held(stage)
    keys = {name: f"12345:enrollment:{number}" for name, number in ids.items()}
    stage.org.refuse = [_refusal(keys["changed"]), _refusal(keys["fresh"])]
    run = stage.run()
    assert (run.code, run.counts(CONTACT_ROWS)["refused"]) == (1, 2)
    stage.org.refuse = [_refusal(keys["dropped"])]
    result = stage.run(UNDO, run_id(run), "--yes")
    assert result.code == 1
    assert [line["key"] for line in result.table("refused.csv")] == [keys["dropped"]]
    assert keys["changed"] not in result.sent(CONTACT_ROWS)
    assert not {keys["changed"], keys["fresh"]} & {line["key"] for line in result.table("left.csv")}
    assert differing(before, held(stage)) == {CONTACT_ROWS: {keys["dropped"]: "missing"}}
    stage.org.refuse = []
    undone(stage, run)
    assert differing(before, held(stage)) == {}


def _refusal(key: str) -> Refusal:
    return Refusal(CONTACT_ROWS, {"LU_Key__c": key}, "FIELD_CUSTOM_VALIDATION_EXCEPTION: no", 99)


@pytest.mark.parametrize(
    "command", [APPLY, *(pytest.param(name, marks=pytest.mark.long) for name in ("backfill", "totals", "portal"))]
)
def test_whatever_wrote_is_put_back(stage: Stage, command: str) -> None:
    """Applied plans, backfills, totals and runs of one portal keep a copy too."""
    changes_of_every_kind(stage)
    if command == "totals":
        contact = next(iter(stage.rows("Contact")))
        stage.org.update("Contact", contact, {"LU_Number_Enrolled__c": 99})
    before = held(stage)
    calls = {"backfill": ("backfill", "--portal", "academy"), "portal": ("run", "--portal", "academy")}
    arguments = (APPLY, str(plan_into(stage))) if command == APPLY else calls.get(command, (command,))
    run = stage.synced(*arguments)
    assert run.effects
    assert differing(before, held(stage))
    result = undone(stage, run)
    assert differing(before, held(stage)) == {}
    assert {one["portal_id"] for one in result.report["portals"]} == {one["portal_id"] for one in run.report["portals"]}


@pytest.mark.long
def test_rows_of_learnupon_s_package_are_put_back(tmp_path: Path) -> None:
    """Where rows have no key of ours, changed ones are found by record id and deleted ones are inserted anew."""
    with Stage(tmp_path, namespace=SPACE) as stage:
        changes_of_every_kind(stage)
        before = package_held(stage)
        run = stage.synced()
        assert {entry.operation for entry in run.effects} == {"create", "update", "delete"}
        result = undone(stage, run)
        after = package_held(stage)
        assert {key: after.get(key) for key in before} == before
        assert len(left(result, "created")) == len(after) - len(before) == 3
        again = undone(stage, run)
        assert (again.effects, again.ingest_jobs) == ([], [])


def test_an_insert_of_unknown_outcome_is_looked_for_first(tmp_path: Path) -> None:
    """In LearnUpon's package an undo that does not learn what became of its inserts ends with 75, and doubles none."""
    with Stage(tmp_path, namespace=SPACE) as stage:
        changes_of_every_kind(stage)
        before = package_held(stage)
        run = stage.synced()
        stage.emu.salesforce_faults.add(
            Fault(match="/jobs/ingest/.*/(successful|failed)Results", nth=3, status=503, body="down", times=None)
        )
        lost = stage.run(UNDO, run_id(run), "--yes", clock=quick())
        assert (lost.code, lost.counts(CONTACT_ROWS)["unknown"]) == (75, 1), lost.err
        stage.emu.salesforce_faults.clear()
        undone(stage, run)
        after = package_held(stage)
        assert {key: after.get(key) for key in before} == before
        assert len(after) - len(before) == 3


def package_held(stage: Stage) -> dict[str, Row]:
    """Return the package's rows, profiles included, field by field; by object and LearnUpon's own number."""
    found: dict[str, Row] = {}
    owners: dict[str, str] = {}
    for name in ("LearnUpon_Portal__c", MEMBERSHIP, CONTACT_ROWS):
        for record in stage.org.rows(api(name)):
            row = {field: owners.get(str(value), value) for field, value in local(record).items()}
            number = row.get("LUEnrollment__c") or row.get("LU_Portal_Membership_ID__c") or row["Portal_Id__c"]
            owner = row.get("LearnUpon_Portal_Membership__c") or row.get("LearnUpon_Portal__c") or ""
            owners[str(record["Id"])] = f"{name} {owner} {number}"
            found[owners[str(record["Id"])]] = {field: value for field, value in row.items() if field.endswith("__c")}
    for person in stage.org.rows("Contact"):
        found[str(person["Id"])] = {field: value for field, value in person.items() if field.endswith("__c")}
    return found
