"""Paths whose courses are named in other ways than the emulator's: their shape is undocumented."""

from __future__ import annotations

import json

import pytest
from runs.stage import CONTACT_PATHS, Stage

from etl.emulator.faults import Fault


@pytest.mark.parametrize("course", [901, "901", {"id": 901, "name": "Safety"}, {"course_id": "901"}], ids=str)
def test_the_source_id_of_a_course_on_a_path_comes_from_the_courses(stage: Stage, course: object) -> None:
    """Another version counts by the course's source id, also when the path says nothing but the course's id."""
    old = stage.course(id=900, version=1)
    path = stage.path(stage.course(id=901, version=2, source_id=900))
    learner = stage.learner()
    stage.enroll(learner, old, status="passed")
    number = stage.enroll_path(learner, path)
    body = json.dumps({"learning_paths": [{"id": path, "name": "Safety", "courses": [course]}]})
    stage.emu.learnupon_faults.add(Fault(match="/academy/.*/learning_paths", when="mid", body=body, times=None))
    stage.synced()
    row = stage.row(CONTACT_PATHS, f"12345:path:{number}")
    assert (row["Number_Of_Courses_On_Path__c"], row["Number_Of_Courses_Completed_On_Path__c"]) == (1, 1)
