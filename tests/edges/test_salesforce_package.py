"""LearnUpon's own package: no key and no upsert there, and yet no row is written twice or lost."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from salesforce_kit import Notes, Plans, World, enrollment_row, loader, member_row, park, portal_row, world

from etl.emulator.faults import Fault
from etl.emulator.salesforce.refusal import Refusal
from etl.errors import OutcomeUnknown
from etl.salesforce.adopt import adopt
from etl.salesforce.joblist import own_jobs
from etl.salesforce.load import Load, Written
from etl.salesforce.org import Org
from etl.salesforce.package import own_columns
from etl.salesforce.packagefiles import Parents
from etl.salesforce.snapshot import read_existing, read_keys
from etl.schema import CONTACT, CONTACT_ENROLLMENT, CONTACT_PATH, ENTITIES, KEY, MEMBERSHIP, PORTAL, REMOVED, Entity

SPACE = "LearnUponP"
ENROLLMENT = CONTACT_ENROLLMENT.name


def packaged(served: World, **changed: Any) -> Org:
    """Connect to the package's org."""
    return served.connect(namespace=SPACE, **changed)


def held(org: Org, entity: Entity, folder: Path, *portals: int) -> dict[str, dict[str, Any]]:
    """Return what the org holds of an object, by key."""
    rows = park(folder, entity)
    read_existing(org, entity, portals or [1, 2], rows)
    return {row[KEY]: row for row in rows.read().to_pylist()}


def first(served: World, org: Org, folder: Path) -> list[str]:
    """Write two portals in which the same LearnUpon ids mean different people; return the Contacts."""
    people, plans = served.people(4), Plans(folder / "first")
    plans.create(PORTAL, portal_row(1), portal_row(2))
    for portal in (1, 2):
        mine = people[(portal - 1) * 2 :][:2]
        plans.create(MEMBERSHIP, *(member_row(person, n, portal) for n, person in enumerate(mine)))
        plans.create(CONTACT_ENROLLMENT, *(enrollment_row(person, n, n, portal) for n, person in enumerate(mine)))
    result = loader(org, folder / "first").apply(plans)
    assert [result[name].created for name in (PORTAL.name, MEMBERSHIP.name, ENROLLMENT)] == [2, 4, 4]
    return people


def test_first_load(tmp_path: Path) -> None:
    """Rows are inserted under their parents' record ids, and come back with the keys they stand for."""
    with world(namespace=SPACE) as served:
        org = packaged(served)
        people = first(served, org, tmp_path)
        rows = held(org, CONTACT_ENROLLMENT, tmp_path)
        assert set(rows) == {f"{portal}:enrollment:{n}" for portal in (1, 2) for n in (0, 1)}
        row = rows["2:enrollment:1"]
        assert (row["LearnUpon_Portal_Membership__c"], row["SFContact__c"]) == ("2:member:1", people[3])
        assert (row["Score__c"], row["Course_Id__c"], row[REMOVED]) == (87.5, None, None)
        members = held(org, MEMBERSHIP, tmp_path, 2)
        assert {key: row["LearnUpon_Portal__c"] for key, row in members.items()} == {
            "2:member:0": "2",
            "2:member:1": "2",
        }
        assert {entry.operation for entry in served.effects()} == {"create"}


@pytest.mark.parametrize("entity", ENTITIES[:6], ids=lambda entity: entity.name)
def test_every_object_can_be_asked_for(entity: Entity, tmp_path: Path) -> None:
    """The query of every object names fields that the package has."""
    with world(namespace=SPACE) as served:
        assert held(packaged(served), entity, tmp_path) == {}


def test_other_portals_are_not_read(tmp_path: Path) -> None:
    """Rows of portals that are not configured are not read, nor rows without LearnUpon's id."""
    with world(namespace=SPACE) as served:
        org = packaged(served)
        first(served, org, tmp_path)
        served.store.insert(f"{SPACE}__{PORTAL.name}", {"Name": "by hand"})
        assert set(held(org, PORTAL, tmp_path, 1)) == {"1"}
        assert set(held(org, CONTACT_ENROLLMENT, tmp_path, 1)) == {"1:enrollment:0", "1:enrollment:1"}
        assert held(org, CONTACT_PATH, tmp_path) == {}


def test_updates_and_deletes_by_record_id(tmp_path: Path) -> None:
    """Updates touch the changed columns of that record alone; our additions are never sent."""
    with world(namespace=SPACE) as served:
        org = packaged(served)
        first(served, org, tmp_path)
        rows = held(org, CONTACT_ENROLLMENT, tmp_path)
        plans = Plans(tmp_path / "second")
        changed = {**rows["1:enrollment:0"], "Score__c": None, REMOVED: True}
        plans.change(CONTACT_ENROLLMENT, ["Score__c", REMOVED], changed)
        plans.remove(CONTACT_ENROLLMENT, "gone", rows["2:enrollment:0"])
        before = len(served.effects())
        assert loader(org, tmp_path / "second").apply(plans)[ENROLLMENT] == Written(updated=1, deleted=1)
        update, delete = served.effects()[before:]
        assert (update.operation, update.id) == ("update", rows["1:enrollment:0"]["Id"])
        assert set(update.after) == {f"{SPACE}__Score__c"}
        assert (delete.operation, delete.id) == ("delete", rows["2:enrollment:0"]["Id"])
        assert set(held(org, CONTACT_ENROLLMENT, tmp_path)) == set(rows) - {"2:enrollment:0"}


def test_only_additions_changed(tmp_path: Path) -> None:
    """An update of nothing but our additions sends nothing, for the package has no such field."""
    with world(namespace=SPACE) as served:
        org = packaged(served)
        first(served, org, tmp_path)
        plans = Plans(tmp_path / "second")
        plans.change(CONTACT_ENROLLMENT, [REMOVED], held(org, CONTACT_ENROLLMENT, tmp_path)["1:enrollment:0"])
        load = loader(org, tmp_path / "second")
        assert load.apply(plans)[ENROLLMENT] == Written()
        assert load.jobs == []


def test_refusals_are_told_by_key(tmp_path: Path) -> None:
    """Refused inserts and updates are listed by the key that the row stands for, in either portal."""
    with world(namespace=SPACE) as served:
        org = packaged(served)
        people = first(served, org, tmp_path)
        rows = held(org, CONTACT_ENROLLMENT, tmp_path)
        served.store.refuse = [Refusal(f"{SPACE}__{ENROLLMENT}", {}, "FIELD_CUSTOM_VALIDATION_EXCEPTION:no")]
        plans = Plans(tmp_path / "second")
        plans.create(CONTACT_ENROLLMENT, enrollment_row(people[0], 9, 0, 1), enrollment_row(people[2], 9, 0, 2))
        plans.change(CONTACT_ENROLLMENT, ["Status__c"], {**rows["2:enrollment:1"], "Status__c": "Failed"})
        load = loader(org, tmp_path / "second")
        assert load.apply(plans)[ENROLLMENT] == Written(refused=3)
        told = load.refusals.sort_values("key")
        assert list(told["key"]) == ["1:enrollment:9", "2:enrollment:1", "2:enrollment:9"]
        assert list(told["operation"]) == ["insert", "update", "insert"]


def test_row_without_its_parent(tmp_path: Path) -> None:
    """A row whose membership was refused is not sent: it would not be found again, and be made anew every night."""
    with world(namespace=SPACE) as served:
        org = packaged(served)
        served.store.refuse = [Refusal(f"{SPACE}__{MEMBERSHIP.name}", {}, "FIELD_CUSTOM_VALIDATION_EXCEPTION:no")]
        (person,), plans = served.people(1), Plans(tmp_path)
        plans.create(PORTAL, portal_row())
        plans.create(MEMBERSHIP, member_row(person, 1))
        plans.create(CONTACT_ENROLLMENT, enrollment_row(person, 1, 1))
        load = loader(org, tmp_path)
        assert load.apply(plans)[ENROLLMENT] == Written(refused=1)
        assert set(load.refusals["code"]) == {"FIELD_CUSTOM_VALIDATION_EXCEPTION", "PARENT_MISSING"}
        assert served.store.rows(f"{SPACE}__{ENROLLMENT}") == []


def test_locked_rows_are_inserted_once(tmp_path: Path) -> None:
    """Rows that were locked are inserted in a later job, and the others not again."""
    with world(namespace=SPACE) as served:
        served.store.refuse = [
            Refusal(f"{SPACE}__{PORTAL.name}", {f"{SPACE}__Portal_Id__c": 2}, "UNABLE_TO_LOCK_ROW:locked", times=1)
        ]
        plans = Plans(tmp_path)
        plans.create(PORTAL, portal_row(1), portal_row(2))
        assert loader(packaged(served), tmp_path).apply(plans)[PORTAL.name] == Written(created=2)
        assert len(served.store.rows(f"{SPACE}__{PORTAL.name}")) == 2


def portals(folder: Path) -> Plans:
    """Plan two portals."""
    plans = Plans(folder)
    plans.create(PORTAL, portal_row(1), portal_row(2))
    return plans


@pytest.mark.parametrize("match", ["POST .*jobs/ingest$", "PUT .*/batches", "PATCH .*jobs/ingest/"])
def test_lost_answers_make_no_second_row(tmp_path: Path, match: str) -> None:
    """Whichever answer is lost on the way, each row is inserted once."""
    with world(namespace=SPACE) as served:
        org = packaged(served)
        served.faults.add(Fault(match, when="after", reset=True))
        assert loader(org, tmp_path).apply(portals(tmp_path))[PORTAL.name] == Written(created=2)
        assert len(served.store.rows(f"{SPACE}__{PORTAL.name}")) == 2


@pytest.mark.parametrize("with_journal", [True, False])
def test_unknown_insert_is_waited_for_and_read_back(tmp_path: Path, with_journal: bool) -> None:  # noqa: FBT001 - both
    """A job left running is waited for by the next run, with its journal or without, before rows are compared."""
    with world(namespace=SPACE) as served:
        served.store.stuck_jobs = True
        notes = Notes()
        load = Load(packaged(served, job_timeout_minutes=1), journal=notes, folder=tmp_path / "files")
        with pytest.raises(OutcomeUnknown):
            load.apply(portals(tmp_path))
        assert load.written[PORTAL.name] == Written(unknown=2)
        org = packaged(served)
        served.store.stuck_jobs = 0
        served.store.unstick()
        adopt(org, [notes] if with_journal else [])
        assert all(job.state == "JobComplete" for job in own_jobs(org)[0])
        assert set(held(org, PORTAL, tmp_path)) == {"1", "2"}


def test_journal_less_run_that_does_not_end(tmp_path: Path) -> None:
    """While such a job does not end, nothing is compared or sent: 75."""
    with world(namespace=SPACE) as served:
        served.store.stuck_jobs = True
        org = packaged(served, job_timeout_minutes=1)
        with pytest.raises(OutcomeUnknown):
            loader(org, tmp_path).apply(portals(tmp_path))
        with pytest.raises(OutcomeUnknown, match="750"):
            adopt(org, [])


def test_read_back(tmp_path: Path) -> None:
    """Rows of the package are read back by record id, and by nothing else."""
    with world(namespace=SPACE) as served:
        org = packaged(served)
        first(served, org, tmp_path)
        ids = [row["Id"] for row in held(org, MEMBERSHIP, tmp_path).values()]
        assert read_keys(org, MEMBERSHIP, ids, park(tmp_path, MEMBERSHIP), by="Id") == 4
        with pytest.raises(ValueError, match="by record id only"):
            read_keys(org, MEMBERSHIP, ["1:member:0"], park(tmp_path, MEMBERSHIP))


def test_profiles(tmp_path: Path) -> None:
    """Profiles are read and written under the package's names."""
    with world(namespace=SPACE) as served:
        org = packaged(served)
        (person,), plans = served.people(1), Plans(tmp_path)
        plans.change(CONTACT, ["LU_User_ID__c"], {"Id": person, "LU_User_ID__c": 7})
        assert loader(org, tmp_path).apply(plans)["Contact"] == Written(updated=1)
        assert served.store.get("Contact", person)[f"{SPACE}__LU_User_ID__c"] == 7
        found = park(tmp_path, CONTACT)
        read_existing(org, CONTACT, [1], found)
        assert found.read()["LU_User_ID__c"].to_pylist() == [7]


def test_parents(tmp_path: Path) -> None:
    """Parents are known by key; one that is not there has no record id."""
    with world(namespace=SPACE) as served:
        org = packaged(served)
        first(served, org, tmp_path)
        found = Parents(org, portals(tmp_path), tmp_path).ids(PORTAL.name, pa.array(["2", "3", "1"]))
        rows = held(org, PORTAL, tmp_path)
        assert found.to_pylist() == [rows["2"]["Id"], None, rows["1"]["Id"]]


def test_own_columns() -> None:
    """The package has none of our additions."""
    assert own_columns(MEMBERSHIP) == (
        "LearnUpon_Portal__c", "Contact__c", "User__c", "Portal_Id__c", "LU_Portal_Membership_ID__c",
    )  # fmt: skip
