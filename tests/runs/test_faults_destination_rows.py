"""Faults of Salesforce around single rows: doubles, people at work meanwhile, parents gone, large files."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest
from runs import package_org
from runs.small_world import furnish, quick
from runs.stage import CONTACT_PATHS, CONTACT_ROWS, MEMBERSHIP, USER_ROWS, Stage
from runs.told import refused

from etl.emulator.faults import Fault

_WRITING = r"POST \S*/jobs/ingest$"


def _key(enrollment: int) -> str:
    return f"12345:enrollment:{enrollment}"


def _doubled(stage: Stage, name: str, field: str, number: int) -> tuple[str, str]:
    """Put a second row like the one with this number into an object, and return the ids of both."""
    row = next(row for row in stage.org.rows(name) if row[field] == number)
    fields = stage.org.objects[name].fields
    unique = [one for one in fields.values() if one.unique]
    for one in unique:
        one.unique = False
    copied = {name: value for name, value in row.items() if fields[name].createable and value is not None}
    twin = stage.org.insert(name, copied, record=False)
    for one in unique:
        one.unique = True
    return str(row["Id"]), twin


@pytest.mark.fault("D23")
def test_rows_that_share_a_key_are_left_alone(stage: Stage) -> None:
    """Two rows with one key are neither written nor deleted: their ids are listed, exit 1, and all else is synced."""
    world = furnish(stage)
    stage.synced()
    first = min(stage.academy.enrollments)
    key = _key(first)
    ids = _doubled(stage, CONTACT_ROWS, "LUEnrollment__c", first)
    stage.academy.change_enrollment(first, percentage=51)
    new = stage.enroll(world.learners[1], world.second_course)
    result = stage.run(clock=quick())
    refused(result, (CONTACT_ROWS, key, "rejected"))
    assert all(one in result.table("refused.csv")[0]["message"] for one in ids)
    assert result.done(CONTACT_ROWS, "create") == [_key(new)]
    assert f"2 rows of {CONTACT_ROWS} share their key" in result.warnings
    stage.academy.remove_enrollment(first)
    stage.configure(guards={"max_delete_percent": 100})
    assert stage.run(clock=quick()).done(CONTACT_ROWS, "delete") == []
    stage.org.delete(CONTACT_ROWS, ids[1], record=False)
    assert stage.synced().done(CONTACT_ROWS, "update") == [key]


@pytest.mark.fault("D23")
def test_doubles_in_the_package_are_left_alone(tmp_path: Path) -> None:
    """LearnUpon's package has no key that could keep doubles away: portals, learners and rows alike, the same holds."""
    with Stage(tmp_path, namespace=package_org.SPACE) as stage:
        world = furnish(stage)
        stage.synced()
        numbers = {
            (CONTACT_ROWS, "LUEnrollment__c"): min(stage.academy.enrollments),
            (MEMBERSHIP, "LU_Portal_Membership_ID__c"): world.learners[0],
            ("LearnUpon_Portal__c", "Portal_Id__c"): 12345,
        }
        for (name, field), number in numbers.items():
            _doubled(stage, package_org.api(name), package_org.api(field), number)
        stage.academy.change_enrollment(min(stage.academy.enrollments), percentage=51)
        result = stage.run(clock=quick())
        refused(
            result,
            (CONTACT_ROWS, _key(min(stage.academy.enrollments)), "rejected"),
            (MEMBERSHIP, f"12345:member:{world.learners[0]}", "rejected"),
            ("LearnUpon_Portal__c", "12345", "rejected"),
        )
        assert result.effects == []


@pytest.mark.fault("D23")
def test_a_mover_who_meets_doubles_keeps_the_old_row(tmp_path: Path) -> None:
    """A learner whose number is there twice in the new object keeps the old row until all but one are removed."""
    with Stage(tmp_path, namespace=package_org.SPACE) as stage:
        furnish(stage)
        contact, user = stage.contact(), stage.user()
        learner = stage.learner(sf_contact_id=contact)
        number = stage.enroll(learner, status="passed", percentage=77)
        stage.synced()
        old = package_org.enrollments(stage, CONTACT_ROWS)[_key(number)]
        own = {"LUEnrollment__c": number, "LearnUpon_Portal_Membership__c": old["LearnUpon_Portal_Membership__c"]}
        twin = {package_org.api(name): value for name, value in own.items()}
        twins = [stage.org.insert(package_org.api(USER_ROWS), twin, record=False) for _ in range(2)]
        stage.academy.change_user(learner, sf_contact_id=None, sf_user_id=user)
        stage.configure(guards={"max_delete_percent": 100})
        result = stage.run(clock=quick())
        refused(result, (USER_ROWS, _key(number), "rejected"))
        assert package_org.enrollments(stage, CONTACT_ROWS)[_key(number)]["Score__c"] == 77
        assert result.counts(CONTACT_ROWS)["unconfirmed"] == 1
        stage.org.delete(package_org.api(USER_ROWS), twins[0], record=False)
        stage.synced()
        assert package_org.enrollments(stage, USER_ROWS)[_key(number)]["Score__c"] == 77
        assert _key(number) not in package_org.enrollments(stage, CONTACT_ROWS)


@pytest.mark.fault("D25")
def test_rows_that_somebody_deleted_meanwhile(stage: Stage) -> None:
    """A row to delete that is deleted already counts as deleted; one to change comes back in part, is told, mended."""
    world = furnish(stage)
    gone, changed = (stage.enroll(world.learners[1], world.second_course) for _ in range(2))
    stage.synced()
    stage.academy.remove_enrollment(gone)
    stage.academy.change_enrollment(changed, status="passed", percentage=77)
    stage.configure(guards={"max_delete_percent": 100})
    ids = [stage.row(CONTACT_ROWS, _key(one))["Id"] for one in (gone, changed)]
    stage.before(_WRITING, lambda: stage.org.delete(CONTACT_ROWS, ids[0], record=False))
    stage.before(_WRITING, lambda: stage.org.delete(CONTACT_ROWS, ids[1], record=False))
    result = stage.run(clock=quick())
    refused(result, (CONTACT_ROWS, _key(changed), "OTHER_VALUE"))
    assert (result.counts(CONTACT_ROWS)["deleted"], result.counts(CONTACT_ROWS)["refused"]) == (1, 0)
    stage.synced()
    assert stage.row(CONTACT_ROWS, _key(changed))["Course_Name__c"] == "Ropes"


@pytest.mark.fault("D25")
def test_a_row_to_flag_that_somebody_deleted_meanwhile(stage: Stage) -> None:
    """A row to keep that is deleted before its flag comes back empty and is told; the next night nothing is left."""
    furnish(stage)
    learner = stage.learner()
    row, course = stage.enroll(learner, status="passed"), stage.course()
    on_path = stage.enroll_path(learner, stage.path(course), status="passed")
    stage.synced()
    stage.academy.remove_enrollment(row)
    stage.academy.remove_path_enrollment(on_path)
    both = {CONTACT_ROWS: _key(row), CONTACT_PATHS: f"12345:path:{on_path}"}
    for name, key in both.items():
        stage.before(_WRITING, partial(stage.org.delete, name, stage.row(name, key)["Id"], record=False))
    refused(stage.run(clock=quick()), *((name, key, "OTHER_VALUE") for name, key in both.items()))
    assert [stage.row(name, key)["Status__c"] for name, key in both.items()] == [None, None]
    stage.configure(guards={"max_delete_percent": 100})
    result = stage.synced()
    assert result.asked(f"/enrollments/{row}")
    for name, key in both.items():
        assert result.reasons(name) == {key: "gone"}
        assert key not in stage.rows(name)
    stage.settled()


@pytest.mark.fault("D27")
def test_a_person_deleted_before_the_rows_were_written(stage: Stage) -> None:
    """What refers to a Contact deleted meanwhile is refused and listed, all else written: 1; then it has no rows."""
    world = furnish(stage)
    learner, course = world.learners[1], world.first_course
    contact = stage.academy.users[learner]["sf_contact_id"]
    stage.before(_WRITING, lambda: stage.org.delete("Contact", contact, record=False))
    result = stage.run(clock=quick())
    (row,) = (one["id"] for one in stage.academy.enrollments.values() if one["user_id"] == learner)
    assert course
    refused(
        result,
        (MEMBERSHIP, f"12345:member:{learner}", "ENTITY_IS_DELETED"),
        (CONTACT_ROWS, _key(row), "INVALID_FIELD"),
        ("Contact", contact, "ENTITY_IS_DELETED"),
    )
    assert len(result.done(CONTACT_ROWS, "create")) == 3
    again = stage.synced()
    assert (again.effects, again.unmatched) == ([], {("academy", learner): "contact_deleted"})


@pytest.mark.fault("D26")
def test_what_people_write_meanwhile_is_not_overwritten(stage: Stage) -> None:
    """A field that is not ours, edited between reading and writing, keeps what the person wrote: it is never sent."""
    world = furnish(stage)
    contact = stage.academy.users[world.learners[0]]["sf_contact_id"]
    stage.before(_WRITING, lambda: stage.org.update("Contact", contact, {"LastName": "Married"}, record=False))
    sent = stage.synced().sent("Contact")
    assert stage.person(contact)["LastName"] == "Married"
    assert {name[:3] for fields in sent.values() for name in fields} == {"LU_"}


@pytest.mark.fault("D33")
def test_results_without_a_charset_are_utf_8(stage: Stage) -> None:
    """CSV that does not say its encoding is read as UTF-8: names keep their letters, and a second run sends nothing."""
    stage.enroll(stage.learner(), stage.course(name="Zoë lernt Übersetzen: 研修"))
    plain = {"Content-Type": "text/csv"}
    stage.emu.salesforce_faults.add(Fault(match=r"/jobs/.*[Rr]esults", when="mid", headers=plain, times=None))
    stage.synced()
    stage.settled()


@pytest.mark.fault("D34")
def test_more_than_a_file_holds_goes_in_several(stage: Stage) -> None:
    """Rows that do not fit bulk_file_mb go in several jobs, each file below it, every row once; exit 0."""
    learner, course = stage.learner(), stage.course(name="研" * 255)
    for _ in range(1_300):
        stage.enroll(learner, course)
    stage.configure(salesforce={"bulk_file_mb": 1})
    sizes: list[int] = []
    stage.emu.salesforce_faults.add(
        Fault(match=r"PUT \S*/batches", times=None, hook=lambda request: sizes.append(len(request.body)))
    )
    result = stage.synced()
    assert len(stage.rows(CONTACT_ROWS)) == result.counts(CONTACT_ROWS)["created"] == 1_300
    assert max(sizes) < 1_000_000 < sum(sizes)
    assert len(result.report["jobs"]) == len(sizes)
