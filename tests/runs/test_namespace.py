"""LearnUpon's installed package: the whole program writes its objects, without a key, an upsert or a column of ours."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from runs import package_org as package
from runs.stage import CONTACT_PATHS, CONTACT_ROWS, MEMBERSHIP, USER_PATHS, USER_ROWS, Row, Stage

OBJECTS = (USER_ROWS, CONTACT_ROWS, USER_PATHS, CONTACT_PATHS)


@pytest.fixture
def installed(tmp_path: Path) -> Iterator[Stage]:
    """Give two empty portals and an org with the package and without people, served."""
    with Stage(tmp_path, namespace=package.SPACE) as made:
        yield made


def _picture(rows: dict[str, Row], columns: list[str], parents: dict[str, str]) -> dict[str, Row]:
    """Return rows without what differs between two orgs: record ids and stamps become keys or are left out."""
    return {
        key: {name: parents.get(str(row[name]), row[name]) for name in columns if name.endswith("__c")}
        for key, row in rows.items()
    }


def _package_picture(stage: Stage) -> dict[str, dict[str, Row]]:
    members = package.members(stage)
    parents = {row["Id"]: key for key, row in {**package.portals(stage), **members}.items()}
    found = {MEMBERSHIP: members} | {name: package.enrollments(stage, name) for name in OBJECTS}
    found |= {name: {str(row["Id"]): row for row in package.records(stage, name)} for name in ("Contact", "User")}
    return {name: _picture(rows, sorted(next(iter(rows.values()), {})), parents) for name, rows in found.items()}


def _own_picture(stage: Stage, like: dict[str, dict[str, Row]]) -> dict[str, dict[str, Row]]:
    parents = {row["Id"]: key for name in ("LearnUpon_Portal__c", MEMBERSHIP) for key, row in stage.rows(name).items()}
    return {
        name: _picture(stage.rows(name), sorted(next(iter(rows.values()), {})), parents) for name, rows in like.items()
    }


def test_the_package_ends_where_our_own_objects_end(tmp_path: Path) -> None:
    """The same world, loaded and changed overnight, gives the same rows and profiles in the package as in our objects.

    On the way no column of ours is sent, nothing is upserted, and each second run is idle.
    """
    pictures: list[dict[str, dict[str, Row]]] = []
    for space in (package.SPACE, ""):
        folder = tmp_path / (space or "own")
        folder.mkdir()
        with Stage(folder, namespace=space, learners=36, seed=3, enrollments_per_learner=5) as stage:
            uploads = stage.uploads()
            stage.synced("run")
            if space:
                stage.settled()
            stage.emu.night(1)
            stage.synced("run", "--allow-updates", "500", "--allow-deletes", "500")
            if not space:
                pictures.append(_own_picture(stage, pictures[0]))
                continue
            stage.settled()
            pictures.append(_package_picture(stage))
            sent = package.headers(uploads)
            assert not {column for _, column in sent} & package.OURS
            assert not [column for name, column in sent if name == MEMBERSHIP and column in package.TOTALS]
            assert not [name for name, _ in sent if name.startswith("LearnUpon_Sync_Run")]
    assert sum(map(len, pictures[0].values())) > 150
    assert pictures[0] == pictures[1]


def test_a_new_person_under_a_known_id_of_another_portal(installed: Stage) -> None:
    """The same LearnUpon ids in two portals are two memberships and two enrollments, of their own portal each."""
    one, two = installed.contact(), installed.contact()
    installed.learner(id=700, sf_contact_id=one)
    installed.learner(installed.partners, id=700, sf_contact_id=two)
    installed.enroll(700, id=800, status="passed", percentage=60)
    installed.enroll(700, id=800, portal=installed.partners, status="failed", percentage=20)
    installed.synced()
    rows = package.enrollments(installed, CONTACT_ROWS)
    assert {key: (row["SFContact__c"], row["Score__c"]) for key, row in rows.items()} == {
        "12345:enrollment:800": (one, 60),
        "67890:enrollment:800": (two, 20),
    }
    installed.academy.change_enrollment(800, percentage=61)
    result = installed.synced()
    entries = [(entry.object, entry.operation) for entry in result.effects]
    assert entries == [(package.api(CONTACT_ROWS), "update")]
    assert package.enrollments(installed, CONTACT_ROWS)["12345:enrollment:800"]["Score__c"] == 61


def test_gone_rows_are_deleted_or_kept_without_a_flag(installed: Stage) -> None:
    """A row that is gone is deleted when unfinished and kept as it is when finished, this night and the next."""
    learner, course = installed.learner(), installed.course()
    started, done = (installed.enroll(learner, course, status=one) for one in ("in_progress", "passed"))
    path = installed.path(course)
    on_path = installed.enroll_path(learner, path, status="completed")
    installed.synced()
    before = package.enrollments(installed, CONTACT_ROWS)
    for number in (started, done):
        installed.academy.remove_enrollment(number)
    installed.academy.remove_path_enrollment(on_path)
    result = installed.synced()
    deleted = [entry for entry in result.effects if entry.operation == "delete"]
    assert [entry.id for entry in deleted] == [before[f"12345:enrollment:{started}"]["Id"]]
    key = f"12345:enrollment:{done}"
    assert package.enrollments(installed, CONTACT_ROWS) == {key: before[key]}
    assert set(package.enrollments(installed, CONTACT_PATHS)) == {f"12345:path:{on_path}"}
    assert (result.counts(CONTACT_ROWS)["kept"], result.counts(CONTACT_PATHS)["kept"]) == (1, 1)
    installed.settled()


def test_a_learner_who_is_gone_counts_no_more(installed: Stage) -> None:
    """Without counts on memberships a person whose learner is gone still loses them, and keeps id and last access."""
    contact = installed.contact()
    learner = installed.learner(sf_contact_id=contact, last_sign_in_at="2026-03-01T09:00:00Z")
    installed.enroll(learner, status="passed")
    installed.synced()
    installed.academy.remove_user(learner)
    installed.synced()
    profile = package.person(installed, contact)
    assert package.counts(profile) == [0] * 7
    assert (profile["LU_User_ID__c"], profile["LU_Last_Accessed_At__c"]) == (learner, "2026-03-01T09:00:00.000Z")
    assert set(package.members(installed)) == {f"12345:member:{learner}"}
    installed.settled()


def test_a_mover_gets_the_new_row_first(installed: Stage) -> None:
    """A Contact who becomes a User has the new rows made before the old ones go, and the membership and sums follow."""
    contact, user = installed.contact(), installed.user()
    learner, course = installed.learner(sf_contact_id=contact), installed.course()
    number = installed.enroll(learner, course, status="passed", percentage=77)
    on_path = installed.enroll_path(learner, installed.path(course), status="passed")
    installed.synced()
    installed.academy.change_user(learner, sf_contact_id=None, sf_user_id=user)
    result = installed.synced()
    done = [(entry.object.removeprefix("LearnUponP__"), entry.operation) for entry in result.effects]
    assert done.index((USER_ROWS, "create")) < done.index((CONTACT_ROWS, "delete"))
    assert done.index((USER_PATHS, "create")) < done.index((CONTACT_PATHS, "delete"))
    assert (package.enrollments(installed, CONTACT_ROWS), package.enrollments(installed, CONTACT_PATHS)) == ({}, {})
    row = package.enrollments(installed, USER_ROWS)[f"12345:enrollment:{number}"]
    assert (row["SFUser__c"], row["Score__c"]) == (user, 77)
    assert set(package.enrollments(installed, USER_PATHS)) == {f"12345:path:{on_path}"}
    member = package.members(installed)[f"12345:member:{learner}"]
    assert (member["Contact__c"], member["User__c"]) == (None, user)
    assert package.counts(package.person(installed, contact)) == [0] * 7
    assert package.counts(package.person(installed, user)) == [1, 0, 0, 0, 0, 1, 0]
    installed.settled()


def test_profiles_are_summed_in_the_run(installed: Stage) -> None:
    """A person's profile is the sum over all portals, also of a learner who is listed but matched to nobody now."""
    contact = installed.contact()
    first = installed.learner(sf_contact_id=contact)
    second = installed.learner(installed.partners, sf_contact_id=contact)
    installed.enroll(first, status="passed")
    installed.enroll(first, status="unenrolled", unenrolled=True)
    installed.enroll(second, portal=installed.partners, status="in_progress")
    installed.synced()
    assert package.counts(package.person(installed, contact)) == [2, 0, 1, 0, 0, 1, 0]
    installed.academy.change_user(first, sf_contact_id=None)
    installed.enroll(second, portal=installed.partners, status="failed")
    result = installed.synced()
    assert result.unmatched == {("academy", first): "no_salesforce_id"}
    profile = package.person(installed, contact)
    assert package.counts(profile) == [3, 0, 1, 0, 0, 1, 1]
    assert profile["LU_User_ID__c"] == first
    installed.settled()


def test_the_last_access_of_a_learner_who_stays_as_is(installed: Stage) -> None:
    """The last access follows LearnUpon for a learner matched to nobody now too, and back to blank."""
    left, cleared = installed.contact(), installed.contact()
    learner = installed.learner(sf_contact_id=left, last_sign_in_at="2026-03-01T09:00:00Z")
    other = installed.learner(sf_contact_id=cleared, last_sign_in_at="2026-03-01T09:00:00Z")
    installed.synced()
    installed.academy.change_user(learner, sf_contact_id=None, last_sign_in_at="2026-04-01T09:00:00Z")
    installed.academy.change_user(other, last_sign_in_at=None)
    installed.synced()
    last = [package.person(installed, one)["LU_Last_Accessed_At__c"] for one in (left, cleared)]
    assert last == ["2026-04-01T09:00:00.000Z", None]
    installed.settled()


def test_totals_says_that_there_is_nothing_to_sum_up(installed: Stage) -> None:
    """`totals` cannot work without counts on memberships: 78, which names the command that can, and nobody is asked."""
    result = installed.run("totals")
    assert (result.code, result.folder, result.salesforce_calls) == (78, None, ())
    assert "learnupon-sync run" in result.err


def test_a_part_leaves_profiles_alone(installed: Stage) -> None:
    """A backfill and a run of one portal write rows and no profile; the next whole run sums up and is then idle."""
    contact = installed.contact()
    first, course = installed.learner(sf_contact_id=contact), installed.course()
    second = installed.learner(installed.partners, sf_contact_id=contact)
    number = installed.enroll(first, course, status="passed")
    installed.enroll(first, status="failed")
    installed.enroll(second, portal=installed.partners, status="failed")
    installed.synced("backfill", "--portal", "academy", "--course", str(course))
    assert set(package.enrollments(installed, CONTACT_ROWS)) == {f"12345:enrollment:{number}"}
    installed.synced("backfill")
    installed.synced("run", "--portal", "partners")
    assert len(package.enrollments(installed, CONTACT_ROWS)) == 3
    assert package.counts(package.person(installed, contact)) == [None] * 7
    installed.synced()
    assert package.counts(package.person(installed, contact)) == [3, 0, 0, 0, 0, 1, 2]
    installed.settled()


def test_check_knows_the_package(installed: Stage) -> None:
    """`check` looks for the package's objects and fields only, and says that there is neither lease nor run log."""
    result = installed.run("check")
    assert result.code == 0, result.out
    assert "ok    Salesforce objects: 8 objects" in result.out
    assert "note  Salesforce run log: runs go without lease and log" in result.out
    assert "config/salesforce" not in result.out
    field = package.api("Course_Name__c")
    del installed.org.objects[package.api(CONTACT_ROWS)].fields[field]
    result = installed.run("check")
    assert result.code == 78
    assert f"FAIL  {CONTACT_ROWS}.Course_Name__c: the field is missing" in result.out
    assert "the LearnUpon package" in result.out
