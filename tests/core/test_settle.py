"""What is settled before anything is decided: only rows that need no decision, and never another plan for it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import pandas as pd
import pytest
from core.situations import Portal, World, contact, enrollment, learner, path_enrollment, user
from core.worlds import contents, edit, edits, empty_world, examples, gone, portals
from hypothesis import given
from hypothesis import strategies as st

from etl import planning, settle, situation
from etl.partition import People
from etl.plan import Plan
from etl.schema import CONTACT_ENROLLMENT, CONTACT_PATH, KEY, USER_ENROLLMENT

CE, UE, CP = CONTACT_ENROLLMENT.name, USER_ENROLLMENT.name, CONTACT_PATH.name
BOTH = st.tuples(portals(), portals())


@pytest.fixture
def world(tmp_path: Path) -> World:
    """Return a synced world: Contact 5 with eight enrollments and a path, User 6 with one."""
    made = World(tmp_path)
    on_path = [{"path_id": 3, "course_id": 1, "course_source_id": 1}]
    users = [learner(5), {"user_id": 6, "sf_user_id": user(6)}]
    rows = [enrollment(number, 5, "passed", percentage=12.5) for number in range(1, 9)]
    made.portals[0] = Portal(users, [*rows, enrollment(9, 6)], [path_enrollment(4, 5, 3)], on_path)
    made.run()
    return made


def _left(world: World) -> dict[str, list[Any]]:
    """Return what settling leaves: ids of the listings by row, keys of the existing rows by object."""
    inputs = settle.settle(world.inputs(), world.folder / f"open-{world.plans}", at_once=2)
    listed: dict[str, list[Any]] = {
        row: sorted(i for park in parks for i in park.read()["id"].to_pylist())
        for row, parks in inputs.listings.items()
    }
    held = {name: sorted(inputs.held[name].read()[KEY].to_pylist()) for name in (CE, UE, CP)}
    return {name: left for name, left in {**listed, **held}.items() if left}


def test_rows_that_are_as_they_should_be_are_settled(world: World) -> None:
    """After a run nothing is left to decide, and every row counts as unchanged."""
    assert _left(world) == {}
    plan = world.plan()
    assert {name: plan.entities[name].counts.unchanged for name in (CE, UE, CP)} == {CE: 8, UE: 1, CP: 1}


def test_what_has_something_to_be_said_of_it_is_not_settled(world: World) -> None:
    """Left are changed rows, twins, rows on both sides or the wrong one, unenrolled, missing and impossible ones."""
    held, listed = world.org[CE], world.portals[0].enrollments
    held["11:enrollment:1"]["Score__c"] = 13.0
    held["twin"] = dict(held["11:enrollment:2"])
    world.org[UE]["11:enrollment:3"] = {**held["11:enrollment:3"], "SFUser__c": user(6)}
    listed[3] = enrollment(4, 5, unenrolled=True)
    held["11:enrollment:4"] |= {"Status__c": "In Progress", "Removed_In_LearnUpon__c": True, "Score__c": None}
    world.org[UE]["11:enrollment:5"] = {**held.pop("11:enrollment:5"), "SFUser__c": contact(5)}
    del listed[5]
    held["11:enrollment:x"] = {KEY: "11:enrollment:x"}
    world.shapes[UE] = {
        **world.shapes[UE],
        "Status__c": replace(world.shapes[UE]["Status__c"], choices=frozenset({"x"})),
    }
    assert _left(world) == {
        "enrollment": [1, 2, 3, 4, 5, 9],
        CE: [f"11:enrollment:{one}" for one in (1, 2, 2, 3, 4, 6, "x")],
        UE: [f"11:enrollment:{one}" for one in (3, 5, 9)],
    }


def test_courses_done_since_leave_the_path_to_be_decided(world: World) -> None:
    """A path row is as it should be only with the courses done by now, whichever partition they came in."""
    world.portals[0].enrollments[0]["unenrolled"] = True
    world.rows_per_partition = 2
    assert CP not in _left(world), "seven other rows have done the course"
    for row in world.portals[0].enrollments:
        row["status"] = "failed"
    assert _left(world)[CP] == ["11:path:4"]


def test_what_was_settled_counts_in_totals(world: World) -> None:
    """Totals are those of all rows, settled or not."""
    world.portals[0].enrollments[0] = enrollment(1, 5, "failed")
    plan = world.plan()
    member = next(row for row in plan.entities["LearnUpon_Portal_Membership__c"].updates.read().to_pylist())
    assert (member["LU_Number_Enrolled__c"], member["LU_Number_Passed__c"], member["LU_Number_Failed__c"]) == (8, 7, 1)


@examples(8)
@given(BOTH, edits(), BOTH, gone(), st.integers(1, 300), st.booleans())
def test_settling_changes_no_plan(before: Any, edited: Any, after: Any, asked: Any, rows: int, same: bool) -> None:  # noqa: FBT001
    """The plan, its counts and warnings and what is asked are the same when nothing is settled beforehand."""
    with empty_world() as world:
        world.portals = list(before)
        world.run()
        edit(world, edited)
        if not same:
            world.portals = list(after)
        world.gone = asked
        world.rows_per_partition = rows
        world.shuffle = Random(rows)  # noqa: S311 - deals rows out, keeps no secret
        said, questions = contents(world.plan()), _questions(world)
        assert contents(_plan_unsettled(world)) == said
        assert _questions(world, settled=True) == questions


@examples(8)
@given(BOTH, edits(), st.integers(1, 30))
def test_threads_change_nothing(before: Any, edited: Any, rows: int) -> None:
    """What is left, in its order, and what is counted are the same however many partitions are sifted at once."""
    with empty_world() as world:
        world.portals = list(before)
        world.run()
        edit(world, edited)
        world.rows_per_partition = rows
        alone, together = (
            settle.settle(world.inputs(), world.folder / f"at-once-{count}", at_once=count) for count in (1, 3)
        )
        assert alone.settled is not None
        assert together.settled is not None
        assert together.settled.unchanged == alone.settled.unchanged
        assert together.settled.notes == alone.settled.notes
        assert together.settled.totals.equals(alone.settled.totals)
        for row, parks in alone.listings.items():
            assert [park.read() for park in parks] == [park.read() for park in together.listings[row]]
        for name in (CE, UE, CP):
            assert alone.held[name].read() == together.held[name].read()


def test_what_threads_look_up_is_ready_before_they_begin(world: World) -> None:
    """Pandas' tables of learners and of courses done, which threads share, are made before there are threads."""
    world.portals[0].users += [learner(8), learner(20)]  # pandas needs no table for numbers that make a range
    counted = settle.settle(world.inputs(), world.folder / "counted").settled
    assert counted is not None
    shared: list[Any] = [People(world.inputs()).index, counted.progress._paths, counted.progress.count()[0]]
    tables = [index for index in shared if not isinstance(index, pd.RangeIndex)]
    assert tables
    assert all(index._engine.is_mapping_populated for index in tables)


def _plan_unsettled(world: World) -> Plan:
    """Plan with what settling counts on the way, but with all rows still to be decided."""
    whole = world.inputs()
    counted = settle.settle(whole, world.folder / f"open-{world.plans}").settled
    assert counted is not None
    inputs = replace(whole, settled=replace(counted, unchanged={}))
    return planning.build(inputs, world.folder / f"plan-{world.plans}", [])


def _questions(world: World, *, settled: bool = False) -> list[list[int]]:
    inputs = world.inputs()
    if settled:
        inputs = settle.settle(inputs, world.folder / f"asked-{world.plans}")
    return [situation.row_questions(inputs, row).tolist() for row in situation.SIDES]
