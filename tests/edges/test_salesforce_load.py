"""The writer: parents first, deletes last, every row counted, passing refusals sent again, nothing else."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from salesforce_kit import Notes, Plans, World, enrollment_row, first_load, loader, member_row, park, portal_row, world

from etl.emulator.faults import Fault
from etl.emulator.salesforce.refusal import Refusal
from etl.errors import Unavailable
from etl.salesforce.load import HELD_BACK, Written
from etl.salesforce.snapshot import read_existing
from etl.schema import CONTACT, CONTACT_ENROLLMENT, ENTITIES, KEY, MEMBERSHIP, PORTAL, USER_ENROLLMENT, Entity

ENROLLMENT = CONTACT_ENROLLMENT.name


def existing(served: World, entity: Entity, folder: Path) -> dict[str, dict[str, Any]]:
    """Return what the org holds of an object, by key."""
    held = park(folder, entity)
    read_existing(served.connect(), entity, [1], held)
    return {row[KEY]: row for row in held.read().to_pylist()}


def test_first_load_and_what_is_then_there(tmp_path: Path) -> None:
    """Rows, parents and values arrive as planned, one effect each."""
    with world() as served:
        people = first_load(served, served.connect(), tmp_path, rows=5)
        rows = existing(served, CONTACT_ENROLLMENT, tmp_path)
        assert rows["1:enrollment:3"]["LearnUpon_Portal_Membership__c"] == "1:member:3"
        assert rows["1:enrollment:3"]["SFContact__c"] == people[3]
        assert rows["1:enrollment:3"]["Score__c"] == 87.5
        assert len(served.effects()) == 1 + 5 + 5
        assert {entry.operation for entry in served.effects()} == {"create"}


@pytest.mark.parametrize(
    "text", ["a,b", 'say "hi"', "two\nlines", "cr\rlf\r\nx", "Å 学 🎓 עברית", "=1+1", "'; DROP", "NA"]
)
def test_texts_arrive_unchanged(tmp_path: Path, text: str) -> None:
    """Commas, quotes, line ends and every script come back as they were sent."""
    with world() as served:
        (person,) = served.people(1)
        plans = Plans(tmp_path)
        plans.create(PORTAL, portal_row())
        plans.create(MEMBERSHIP, member_row(person, 1))
        plans.create(CONTACT_ENROLLMENT, enrollment_row(person, 1, 1, Course_Name__c=text))
        loader(served.connect(), tmp_path).apply(plans)
        assert existing(served, CONTACT_ENROLLMENT, tmp_path)["1:enrollment:1"]["Course_Name__c"] == text


def test_only_what_differs_is_written(tmp_path: Path) -> None:
    """An update touches the changed columns alone, clears included; a person's edits elsewhere stay."""
    with world() as served:
        org = served.connect()
        first_load(served, org, tmp_path, rows=1)
        row = existing(served, CONTACT_ENROLLMENT, tmp_path)["1:enrollment:0"]
        served.store.update(ENROLLMENT, row["Id"], {"Course_Name__c": "edited by a person"})
        plans = Plans(tmp_path / "second")
        plans.change(CONTACT_ENROLLMENT, ["Status__c", "Score__c"], {**row, "Status__c": "Failed", "Score__c": None})
        before = len(served.effects())
        result = loader(org, tmp_path / "second").apply(plans)
        assert result[ENROLLMENT] == Written(updated=1)
        (effect,) = served.effects()[before:]
        assert set(effect.after) - {KEY} == {"Status__c", "Score__c"}
        now = existing(served, CONTACT_ENROLLMENT, tmp_path)["1:enrollment:0"]
        assert (now["Status__c"], now["Score__c"], now["Course_Name__c"]) == ("Failed", None, "edited by a person")


def test_order_of_objects(tmp_path: Path) -> None:
    """Parents come first, profiles after enrollments, deletes last; a job begins when the one before has ended."""
    with world() as served:
        org = served.connect()
        people = first_load(served, org, tmp_path, rows=2)
        rows = existing(served, CONTACT_ENROLLMENT, tmp_path)
        plans, notes = Plans(tmp_path / "second"), Notes()
        plans.change(CONTACT, ["LU_User_ID__c"], {"Id": people[0], "LU_User_ID__c": 1})
        plans.remove(CONTACT_ENROLLMENT, "gone", rows["1:enrollment:0"])
        plans.create(CONTACT_ENROLLMENT, enrollment_row(people[0], 9, 9))
        plans.create(MEMBERSHIP, member_row(people[0], 9))
        plans.create(PORTAL, portal_row(2))
        loader(org, tmp_path / "second", notes).apply(plans)
        made = [(one["object"], one["operation"]) for one in notes.kept if one["event"] == "job_created"]
        assert made == [
            (PORTAL.name, "upsert"), (MEMBERSHIP.name, "upsert"), (ENROLLMENT, "upsert"), ("Contact", "update"),
            (ENROLLMENT, "delete"),
        ]  # fmt: skip
        steps = [one for one in notes.names if one in {"job_created", "job_ended"}]
        assert steps == ["job_created", "job_ended"] * 5


def test_profiles(tmp_path: Path) -> None:
    """People are updated by record id, never created."""
    with world() as served:
        (person,) = served.people(1)
        plans = Plans(tmp_path)
        plans.change(CONTACT, ["LU_User_ID__c", "LU_Number_Enrolled__c"], {"Id": person, "LU_User_ID__c": 7})
        assert loader(served.connect(), tmp_path).apply(plans)["Contact"] == Written(updated=1)
        assert served.store.get("Contact", person)["LU_User_ID__c"] == 7
        wrong = Plans(tmp_path / "wrong")
        wrong.create(CONTACT, {"LU_User_ID__c": 7})
        with pytest.raises(ValueError, match="never created"):
            loader(served.connect(), tmp_path / "wrong").apply(wrong)


def test_empty_plan(tmp_path: Path) -> None:
    """A plan without rows makes no job and no request."""
    with world() as served:
        org = served.connect()
        before = org.calls
        assert loader(org, tmp_path).apply(Plans(tmp_path)) == {one.name: Written() for one in ENTITIES}
        assert org.calls == before


def test_complete_job_with_failed_rows(tmp_path: Path) -> None:
    """A complete job is no success: refused rows are listed with code and words, the others are written."""
    with world() as served:
        served.store.refuse = [
            Refusal(ENROLLMENT, {"LUEnrollment__c": 1}, "FIELD_CUSTOM_VALIDATION_EXCEPTION:No first aid here")
        ]
        people, plans = served.people(3), Plans(tmp_path)
        plans.create(PORTAL, portal_row())
        plans.create(MEMBERSHIP, *(member_row(person, n) for n, person in enumerate(people)))
        plans.create(CONTACT_ENROLLMENT, *(enrollment_row(person, n, n) for n, person in enumerate(people)))
        load = loader(served.connect(), tmp_path)
        assert load.apply(plans)[ENROLLMENT] == Written(created=2, refused=1)
        (refusal,) = load.refusals.to_dict("records")
        assert refusal["message"].startswith("No first aid here")
        assert {**refusal, "message": ""} == {
            "object": ENROLLMENT, "key": "1:enrollment:1", "code": "FIELD_CUSTOM_VALIDATION_EXCEPTION", "message": "",
            "operation": "upsert",
        }  # fmt: skip
        assert len(load.jobs) == 3


def test_parent_refused(tmp_path: Path) -> None:
    """When a parent is refused its children are refused too, and counted."""
    with world() as served:
        served.store.refuse = [Refusal(MEMBERSHIP.name, {}, "FIELD_CUSTOM_VALIDATION_EXCEPTION:no")]
        (person,), plans = served.people(1), Plans(tmp_path)
        plans.create(PORTAL, portal_row())
        plans.create(MEMBERSHIP, member_row(person, 1))
        plans.create(CONTACT_ENROLLMENT, enrollment_row(person, 1, 1))
        load = loader(served.connect(), tmp_path)
        result = load.apply(plans)
        assert (result[MEMBERSHIP.name], result[ENROLLMENT]) == (Written(refused=1), Written(refused=1))


@pytest.mark.parametrize(("times", "expected"), [(1, Written(created=3)), (3, Written(created=3)),
                                                 (None, Written(created=1, refused=2))])  # fmt: skip
def test_locks(tmp_path: Path, times: int | None, expected: Written) -> None:
    """Locked rows alone are sent again, at most three times, after growing waits; then they are refused."""
    with world() as served:
        lock = "UNABLE_TO_LOCK_ROW:unable to obtain exclusive access to this record"
        served.store.refuse = [Refusal(PORTAL.name, {"Portal_Id__c": n}, lock, times=times) for n in (1, 2)]
        plans, notes = Plans(tmp_path), Notes()
        plans.create(PORTAL, *(portal_row(n) for n in (0, 1, 2)))
        load = loader(served.connect(), tmp_path, notes)
        assert load.apply(plans)[PORTAL.name] == expected
        rounds = [one["rows"] for one in notes.kept if one["event"] == "job_created"]
        assert rounds == [3] + [2] * (times or 3)
        assert list(load.refusals["code"]) == ["UNABLE_TO_LOCK_ROW"] * expected.refused


def test_job_fails_half_way(tmp_path: Path) -> None:
    """When a job fails half way, what it wrote counts, and the rows it did not get to are sent again."""
    with world() as served:
        served.store.fail_jobs_after_rows = 4
        plans = Plans(tmp_path)
        plans.create(PORTAL, *(portal_row(n) for n in range(10)))
        load = loader(served.connect(), tmp_path)
        assert load.apply(plans)[PORTAL.name] == Written(created=10)
        assert len(load.jobs) == 3
        assert len(served.effects()) == 10


def test_aborted_by_an_admin(tmp_path: Path) -> None:
    """A job that somebody aborts is 69: its rows are counted as refused, and nothing more is sent in this run."""
    with world() as served:
        served.store.stuck_jobs = True
        org = served.connect()

        def by_admin(_: object) -> None:
            """Abort the job behind our back."""
            job = next(one["job"] for one in notes.kept if one["event"] == "job_created")
            served.connect().send("PATCH", org.path(f"jobs/ingest/{job}"), json={"state": "Aborted"})

        plans, notes = Plans(tmp_path), Notes()
        plans.create(PORTAL, portal_row(1), portal_row(2))
        plans.create(MEMBERSHIP, member_row("0035g0000000001AAA", 1))
        served.faults.add(Fault("GET .*jobs/ingest/[^/?]+$", hook=by_admin))
        load = loader(org, tmp_path, notes)
        with pytest.raises(Unavailable, match="aborted by someone else"):
            load.apply(plans)
        assert load.written[PORTAL.name] == Written(refused=2)
        assert len(load.jobs) == 1


def test_deletes(tmp_path: Path) -> None:
    """Deleted are the rows of the plan and no others; one that somebody deleted before counts as deleted."""
    with world() as served:
        org = served.connect()
        first_load(served, org, tmp_path, rows=4)
        rows = existing(served, CONTACT_ENROLLMENT, tmp_path)
        served.store.delete(ENROLLMENT, rows["1:enrollment:1"]["Id"])
        plans = Plans(tmp_path / "second")
        plans.remove(CONTACT_ENROLLMENT, "gone", rows["1:enrollment:0"], rows["1:enrollment:1"])
        load = loader(org, tmp_path / "second")
        assert load.apply(plans)[ENROLLMENT] == Written(deleted=2)
        assert load.refusals.empty
        assert set(existing(served, CONTACT_ENROLLMENT, tmp_path)) == {"1:enrollment:2", "1:enrollment:3"}


@pytest.mark.parametrize("refused", [True, False])
def test_moved_rows(tmp_path: Path, refused: bool) -> None:  # noqa: FBT001 - both cases of one rule
    """A row that moves is deleted on the old side only when the row on the new side was written."""
    with world() as served:
        org = served.connect()
        first_load(served, org, tmp_path, rows=2)
        rows = existing(served, CONTACT_ENROLLMENT, tmp_path)
        if refused:
            served.store.refuse = [Refusal(USER_ENROLLMENT.name, {}, "STORAGE_LIMIT_EXCEEDED:storage limit exceeded")]
        plans = Plans(tmp_path / "second")
        moved = {**enrollment_row("", 0, 0), "SFUser__c": org.user_id}
        plans.create(USER_ENROLLMENT, moved)
        plans.remove(CONTACT_ENROLLMENT, "moved", rows["1:enrollment:0"])
        plans.remove(CONTACT_ENROLLMENT, "gone", rows["1:enrollment:1"])
        load = loader(org, tmp_path / "second")
        result = load.apply(plans)
        left = set(existing(served, CONTACT_ENROLLMENT, tmp_path))
        if refused:
            assert (result[USER_ENROLLMENT.name], result[ENROLLMENT]) == (
                Written(refused=1),
                Written(refused=1, deleted=1),
            )
            assert left == {"1:enrollment:0"}
            assert HELD_BACK in set(load.refusals["code"])
        else:
            assert (result[USER_ENROLLMENT.name], result[ENROLLMENT]) == (Written(created=1), Written(deleted=2))
            assert not left


def test_second_attempt_after_an_unknown_outcome(tmp_path: Path) -> None:
    """Writing the same plan again changes nothing but what the first time did not: no row is there twice."""
    with world() as served:
        org = served.connect()
        people = served.people(3)
        for turn in ("first", "second"):
            plans = Plans(tmp_path / turn)
            plans.create(PORTAL, portal_row())
            plans.create(MEMBERSHIP, *(member_row(person, n) for n, person in enumerate(people)))
            result = loader(org, tmp_path / turn).apply(plans)
            expected = Written(created=3) if turn == "first" else Written(updated=3)
            assert result[MEMBERSHIP.name] == expected
        assert len(served.store.rows(MEMBERSHIP.name)) == 3


def test_stop_before_the_second_round(tmp_path: Path) -> None:
    """When the run has to stop before refused rows are sent again, they are counted as refused, not forgotten."""
    body = json.dumps([{"errorCode": "REQUEST_LIMIT_EXCEEDED", "message": "x"}])
    with world() as served:
        served.store.refuse = [Refusal(PORTAL.name, {"Portal_Id__c": 1}, "UNABLE_TO_LOCK_ROW:locked")]
        plans = Plans(tmp_path)
        plans.create(PORTAL, portal_row(0), portal_row(1))
        served.faults.add(Fault("POST .*jobs/ingest$", nth=2, status=403, body=body))
        load = loader(served.connect(), tmp_path)
        with pytest.raises(Exception, match="REQUEST_LIMIT_EXCEEDED"):
            load.apply(plans)
        assert load.written[PORTAL.name] == Written(created=1, refused=1)
        assert list(load.refusals["code"]) == ["NOT_SENT_AGAIN"]


def test_files_are_removed(tmp_path: Path) -> None:
    """Uploaded files are removed once their rows are accounted for."""
    with world() as served:
        first_load(served, served.connect(), tmp_path)
        assert list((tmp_path / "first" / "files").glob("*.csv")) == []
