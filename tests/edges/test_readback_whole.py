"""Reading back so many people that all of them are read: whoever carries no LearnUpon id any more is looked for too."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pyarrow as pa
from salesforce_kit import Plans, World, loader, world

from etl.normalise import declared_shapes
from etl.schema import CONTACT, ENTITIES
from etl.stages.readback import ReadBack
from etl.stages.threads import threads

MANY = 4_100
"""More than are asked for by key."""
CLEARED = 30


def written(served: World, folder: Path) -> tuple[Plans, list[str]]:
    """Give many people a LearnUpon id and totals, but some of them none any more; return the plan and their ids."""
    people = served.people(MANY)
    rows: list[dict[str, Any]] = [
        {"Id": person, "LU_User_ID__c": None if n < CLEARED else n, "LU_Number_Enrolled__c": 0 if n < CLEARED else 7}
        for n, person in enumerate(people)
    ]
    for person in people[:CLEARED]:
        served.store.update("Contact", person, {"LU_User_ID__c": 1, "LU_Number_Enrolled__c": 1}, record=False)
    plans = Plans(folder)
    plans.change(CONTACT, ["LU_User_ID__c", "LU_Number_Enrolled__c"], *rows)
    plans[CONTACT.name].counts.update = plans[CONTACT.name].counts.desired = MANY
    return plans, people


def test_people_read_back_as_a_whole_are_compared_one_by_one(tmp_path: Path) -> None:
    """Of many people all are read at once: nobody cleared is missed, who was deleted or changed since is told."""
    with world() as served:
        org = served.connect()
        plans, people = written(served, tmp_path)
        loader(org, tmp_path).apply(plans)
        served.store.delete("Contact", people[0], record=False)
        served.store.update("Contact", people[1], {"LU_Number_Enrolled__c": 9}, record=False)
        served.store.update("Contact", people[-1], {"LU_Number_Enrolled__c": 9}, record=False)
        shapes = {entity.name: declared_shapes(entity) for entity in ENTITIES}
        with threads(1, threading.Event()) as crew:
            again = ReadBack(org, shapes, (1,), tmp_path / "back", crew)
            again.written(plans[CONTACT.name], pa.array([], pa.string()))
            found = again.found()
        assert len(served.requests("POST /services/data/v67.0/jobs/query")) == 1
    told = dict(zip(found["key"], found["code"], strict=True))
    assert told == {people[0]: "NOT_FOUND", people[1]: "OTHER_VALUE", people[-1]: "OTHER_VALUE"}
