"""Reading back what was written: a row that is missing, changed or still there is told, whatever the job said."""

from __future__ import annotations

import re
import time
from pathlib import Path
from urllib.parse import unquote_plus

from runs import package_org
from runs.small_world import furnish
from runs.stage import CONTACT_ROWS, Stage

from etl.emulator.faults import Fault

_ASKED = rf"^GET .*/query/?\?.*SELECT.Id.*FROM.{CONTACT_ROWS}"


def _told(stage: Stage, *arguments: str) -> dict[str, str]:
    """Run, and return the keys in refused.csv with their codes; such a run ends with 1."""
    result = stage.run("run", *arguments)
    lines = [line for line in result.table("refused.csv") if line["operation"] == "read back"]
    assert (result.code, {line["object"] for line in lines}) == (1, {CONTACT_ROWS})
    return {line["key"]: line["code"] for line in lines}


def test_rows_missing_or_changed_when_read_back_are_told(stage: Stage) -> None:
    """Of rows created, one that is gone is NOT_FOUND, one with another value OTHER_VALUE, and no other is named."""
    world = furnish(stage)
    lost, other = (stage.enroll(world.learners[1], world.second_course) for _ in range(2))

    def meddle() -> None:
        rows = stage.rows(CONTACT_ROWS)
        stage.org.delete(CONTACT_ROWS, rows[f"12345:enrollment:{lost}"]["Id"], record=False)
        stage.org.update(CONTACT_ROWS, rows[f"12345:enrollment:{other}"]["Id"], {"Score__c": 1}, record=False)

    stage.before(_ASKED, meddle)
    assert _told(stage) == {f"12345:enrollment:{lost}": "NOT_FOUND", f"12345:enrollment:{other}": "OTHER_VALUE"}
    stage.synced()


def test_a_changed_row_is_compared_in_all_its_columns(stage: Stage) -> None:
    """An updated row is OTHER_VALUE when a column that was not sent differs, and the updated row beside it is not."""
    world = furnish(stage)
    both = [stage.enroll(world.learners[1], world.second_course) for _ in range(2)]
    stage.synced()
    for one in both:
        stage.academy.change_enrollment(one, status="in_progress")
    key = f"12345:enrollment:{both[0]}"
    found = stage.row(CONTACT_ROWS, key)["Id"]
    stage.before(_ASKED, lambda: stage.org.update(CONTACT_ROWS, found, {"Course_Name__c": "Other"}, record=False))
    assert _told(stage) == {key: "OTHER_VALUE"}


def test_a_second_row_of_a_number_is_told_when_read_back(tmp_path: Path) -> None:
    """A row of which somebody makes a second one meanwhile is NOT_UNIQUE, and the rows beside it are compared too."""
    with Stage(tmp_path, namespace=package_org.SPACE) as stage:
        world = furnish(stage)
        twin, other = (stage.enroll(world.learners[1], world.second_course, percentage=40) for _ in range(2))
        name, number, score = map(package_org.api, (CONTACT_ROWS, "LUEnrollment__c", "Score__c"))

        def meddle(_: object) -> None:
            rows = {row[number]: row for row in stage.org.rows(name)}
            if len(rows) == len(stage.academy.enrollments) and rows[other][score] != 1:
                fields = stage.org.objects[name].fields
                copied = {key: value for key, value in rows[twin].items() if fields[key].createable}
                stage.org.insert(name, copied, record=False)
                stage.org.update(name, rows[other]["Id"], {score: 1}, record=False)

        stage.emu.salesforce_faults.add(Fault(match=r"^(GET|POST) .*/query\b", times=None, hook=meddle))
        assert _told(stage) == {f"12345:enrollment:{twin}": "NOT_UNIQUE", f"12345:enrollment:{other}": "OTHER_VALUE"}


def test_a_deleted_row_that_came_back_is_told(stage: Stage) -> None:
    """A row that is there again when read back after its delete is STILL_THERE."""
    world = furnish(stage)
    row = stage.enroll(world.learners[1], world.second_course)
    stage.synced()
    key = f"12345:enrollment:{row}"
    found = stage.row(CONTACT_ROWS, key)["Id"]
    stage.academy.remove_enrollment(row)
    stage.configure(guards={"max_delete_percent": 100})
    stage.before(_ASKED, lambda: stage.org.undelete(CONTACT_ROWS, found))
    assert _told(stage) == {key: "STILL_THERE"}


def test_objects_are_read_back_while_the_next_ones_are_written(stage: Stage) -> None:
    """Before the third job is made, the rows of the first one have been asked for again."""
    furnish(stage)
    asked = re.compile(r"^GET .*/query/?\?.*SELECT.Id.*FROM.LearnUpon_Portal__c\b.*WHERE.LU_Key__c.IN")
    overtaken: list[bool] = []

    def wait(_: object) -> None:
        patient_until = time.monotonic() + 5
        while not overtaken and time.monotonic() < patient_until:
            if any(asked.search(unquote_plus(f"{one.method} {one.target}")) for one in stage.emu.salesforce.calls):
                overtaken.append(True)
            time.sleep(0.005)

    stage.emu.salesforce_faults.add(Fault(match=r"^POST .*/jobs/ingest$", nth=3, hook=wait))
    stage.synced()
    assert overtaken == [True]


def test_an_object_is_read_back_before_its_rows_are_deleted(stage: Stage) -> None:
    """The delete job of an object is made only when the look at its written rows has been answered, however slow."""
    world = furnish(stage)
    gone = stage.enroll(world.learners[1], world.second_course)
    stage.synced()
    stage.academy.remove_enrollment(gone)
    stage.enroll(world.learners[2], world.second_course)
    stage.configure(guards={"max_delete_percent": 100})
    events: list[str] = []

    def slowly(_: object) -> None:
        time.sleep(0.7)
        events.append("read")

    stage.emu.salesforce_faults.add(Fault(match=_ASKED + ".*IN", when="after", hook=slowly))
    made = Fault(match=r"^POST .*/jobs/ingest$", times=None, hook=lambda request: events.append(request.body.decode()))
    stage.emu.salesforce_faults.add(made)
    stage.synced()
    jobs = [event for event in events if CONTACT_ROWS in event or event == "read"]
    assert [('"delete"' in one, one == "read") for one in jobs] == [(False, False), (False, True), (True, False)]
