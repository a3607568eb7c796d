"""LearnUpon's installed package when rows above are doubled or gone: what hangs below them is not made twice."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from runs import package_org as package
from runs.small_world import quick
from runs.stage import CONTACT_PATHS, CONTACT_ROWS, MEMBERSHIP, USER_ROWS, Stage

LOOKUP = "LearnUpon_Portal_Membership__c"


@pytest.fixture
def installed(tmp_path: Path) -> Iterator[Stage]:
    """Give two empty portals and an org with the package and without people, served."""
    with Stage(tmp_path, namespace=package.SPACE) as made:
        yield made


def doubled(stage: Stage, name: str, field: str, number: int) -> str:
    """Put a second row like the one with this number into an object, and return its id."""
    row = next(row for row in stage.org.rows(package.api(name)) if row[package.api(field)] == number)
    fields = stage.org.objects[package.api(name)].fields
    copied = {key: value for key, value in row.items() if fields[key].createable and value is not None}
    return stage.org.insert(package.api(name), copied, record=False)


@pytest.mark.parametrize("above", ["portal", "membership"])
def test_nothing_is_made_below_doubles(installed: Stage, above: str) -> None:
    """A row whose portal or membership is there twice waits until it is there once: its parent might be removed.

    A mover's old row waits too.
    """
    learner = installed.learner()
    moving = installed.enroll(learner, status="passed")
    installed.synced()
    who = learner
    if above == "portal":
        who = installed.learner()
        twin = doubled(installed, package.PORTAL, "Portal_Id__c", 12345)
    else:
        installed.academy.change_user(learner, sf_contact_id=None, sf_user_id=installed.user())
        twin = doubled(installed, MEMBERSHIP, "LU_Portal_Membership_ID__c", learner)
    new = installed.enroll(who, status="failed")
    installed.configure(guards={"max_delete_percent": 100})
    result = installed.run(clock=quick())
    assert result.code == 1
    assert {entry.object for entry in result.effects} <= {"Contact", "User"}
    waiting = {(line["key"], line["code"]) for line in result.table("refused.csv")}
    assert (f"12345:enrollment:{new}", "PARENT_MISSING") in waiting
    assert [row["LUEnrollment__c"] for row in package.records(installed, CONTACT_ROWS)] == [moving]
    installed.org.delete(package.api(package.PORTAL if above == "portal" else MEMBERSHIP), twin, record=False)
    installed.synced()
    made = {**package.enrollments(installed, CONTACT_ROWS), **package.enrollments(installed, USER_ROWS)}
    assert set(made) == {f"12345:enrollment:{number}" for number in (moving, new)}
    installed.settled()


def test_a_row_whose_membership_was_deleted_is_not_made_twice(installed: Stage) -> None:
    """An enrollment that lost its membership is told of and not inserted again, until it names one or is deleted."""
    learner, course = installed.learner(), installed.course()
    numbers = [installed.enroll(learner, course, status="passed") for _ in range(2)]
    on_path = installed.enroll_path(learner, installed.path(course), status="passed")
    installed.synced()
    (member,) = package.members(installed).values()
    installed.org.delete(package.api(MEMBERSHIP), member["Id"], record=False)
    installed.enroll(installed.learner(), course, status="failed")
    for _ in range(2):
        result = installed.run(clock=quick())
        assert result.code == 1
        waiting = {line["key"] for line in result.table("refused.csv") if line["code"] == "WITHOUT_MEMBERSHIP"}
        assert waiting == {f"12345:path:{on_path}", *(f"12345:enrollment:{number}" for number in numbers)}
    rows = {row["LUEnrollment__c"]: row["Id"] for row in package.records(installed, CONTACT_ROWS)}
    assert len(rows) == len(package.records(installed, CONTACT_ROWS)) == 3
    own = {package.api(LOOKUP): package.members(installed)[f"12345:member:{learner}"]["Id"]}
    installed.org.update(package.api(CONTACT_ROWS), rows[numbers[0]], own, record=False)
    installed.org.delete(package.api(CONTACT_ROWS), rows[numbers[1]], record=False)
    (path,) = package.records(installed, CONTACT_PATHS)
    installed.org.update(package.api(CONTACT_PATHS), path["Id"], own, record=False)
    assert len(installed.synced().done(package.api(CONTACT_ROWS), "create")) == 1
    assert len(package.enrollments(installed, CONTACT_ROWS)) == 3
    assert set(package.enrollments(installed, CONTACT_PATHS)) == {f"12345:path:{on_path}"}
    installed.settled()


def test_a_membership_without_its_number_is_of_the_portal_above(installed: Stage) -> None:
    """A membership whose portal number is blank is known by the portal that it stands below, and so are its rows."""
    one, two = installed.learner(), installed.learner(installed.partners)
    number = installed.enroll(one, status="passed")
    installed.enroll(two, portal=installed.partners, status="failed")
    installed.synced()
    before = package.members(installed)
    for row in before.values():
        installed.org.update(package.api(MEMBERSHIP), row["Id"], {package.api("Portal_Id__c"): None}, record=False)
    result = installed.synced("run", "--portal", "academy")
    assert [(entry.id, entry.operation) for entry in result.effects] == [
        (before[f"12345:member:{one}"]["Id"], "update")
    ]
    installed.academy.change_enrollment(number, percentage=61)
    assert {entry.operation for entry in installed.synced().effects} == {"update"}
    after = package.members(installed)
    assert {key: row["Id"] for key, row in after.items()} == {key: row["Id"] for key, row in before.items()}
    installed.settled()
