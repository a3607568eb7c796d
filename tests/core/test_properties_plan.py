"""What holds for every world: plans add up, prove their deletes, do not depend on order, and leave nothing to do."""

from __future__ import annotations

from random import Random
from typing import Any

from core.situations import PORTALS, Portal, World
from core.worlds import ROWS, contents, edit, edits, empty_world, examples, gone, portals
from hypothesis import given
from hypothesis import strategies as st

from etl.plan import EntityPlan, Plan
from etl.schema import KEY

BOTH = st.tuples(portals(), portals())
FINISHED = {"completed", "passed", "failed"}


def _lived(world: World, before: tuple[Portal, Portal], edited: Any, after: tuple[Portal, Portal], asked: Any) -> None:
    """Let a world be synced once, be edited by people, and then be seen as LearnUpon lists it a night later."""
    world.portals = list(before)
    world.run()
    edit(world, edited)
    world.portals = list(after)
    world.gone = _unlisted(world, asked)


def _unlisted(world: World, asked: dict[str, set[tuple[int, int]]]) -> dict[str, set[tuple[int, int]]]:
    """Return what LearnUpon says is gone: never what it lists, since only what is missing is asked about."""
    listed = {
        "enrollment": {(place, row["id"]) for place, portal in enumerate(world.portals) for row in portal.enrollments},
        "path": {(place, row["id"]) for place, portal in enumerate(world.portals) for row in portal.paths},
        "member": {(place, row["user_id"]) for place, portal in enumerate(world.portals) for row in portal.users},
    }
    return {row: pairs - listed[row] for row, pairs in asked.items()}


@examples(12)
@given(BOTH, edits(), BOTH, gone())
def test_a_night_adds_up_proves_its_deletes_and_leaves_nothing_to_do(
    before: Any, edited: Any, after: Any, asked: Any
) -> None:
    """Counts are the sums of section 8, a row is deleted for a proved reason only, and a second run changes nothing."""
    with empty_world() as world:
        _lived(world, before, edited, after, asked)
        held = {name: {key: dict(row) for key, row in rows.items()} for name, rows in world.org.items()}
        plan = world.run()
        for name, part in plan.entities.items():
            _assert_adds_up(part, None if name in PROFILE_NAMES else len(held[name]))
        _assert_proved(world, held, plan)
        again = world.plan()
        assert {name: vars(part.counts) for name, part in again.entities.items() if part.changes} == {}


def _assert_adds_up(part: EntityPlan, held: int | None) -> None:
    counts = part.counts
    assert counts.desired == counts.create + counts.update + counts.unchanged + counts.rejected
    assert counts.existing == counts.update + counts.unchanged + counts.delete + counts.unconfirmed
    assert held in {None, counts.existing}, "every row held is in exactly one place"
    assert counts.kept <= counts.desired
    assert (counts.create, counts.update, counts.delete) == (part.creates.rows, part.updates.rows, part.deletes.rows)
    assert part.before.rows == part.updates.rows


PROFILE_NAMES = ("Contact", "User")


def _assert_proved(world: World, held: dict[str, dict[str, dict[str, Any]]], plan: Plan) -> None:
    places = {str(portal): place for place, portal in enumerate(PORTALS)}
    for row, names in ROWS.items():
        for name, other in (names, names[::-1]):
            for deleted in plan.entities[name].deletes.read().to_pylist():
                key = deleted[KEY]
                portal, _, number = key.split(":")
                code = places[portal], int(number)
                listed = _listed(world, row, code)
                was = held[name][key]
                if deleted["reason"] == "gone":
                    assert listed is None
                    assert code in set(world.gone[row])
                    assert (was["Status__c"] or "").strip().lower() not in FINISHED
                elif deleted["reason"] == "unenrolled":
                    assert listed is not None
                    assert listed["unenrolled"]
                    assert listed["status"] not in FINISHED
                else:
                    assert deleted["reason"] == "moved"
                    assert key in world.org[other], "a row that moves is lost unless it is where it moves to"


def _listed(world: World, row: str, code: tuple[int, int]) -> dict[str, Any] | None:
    portal = world.portals[code[0]]
    rows = portal.enrollments if row == "enrollment" else portal.paths
    return next((one for one in rows if one["id"] == code[1]), None)


@examples(5)
@given(BOTH, edits(), BOTH, gone(), st.integers(0, 2**16), st.integers(1, 6))
def test_neither_order_nor_partitions_matter(
    before: Any, edited: Any, after: Any, asked: Any, seed: int, rows: int
) -> None:
    """The same rows in another order, in other batches, and in more partitions give the same plan."""
    with empty_world() as world:
        _lived(world, before, edited, after, asked)
        said = contents(world.plan())
        world.shuffle = Random(seed)  # noqa: S311 - deals rows out, keeps no secret
        assert contents(world.plan()) == said
        world.rows_per_partition = rows
        assert contents(world.plan()) == said


@examples(25)
@given(BOTH)
def test_every_learner_is_matched_or_has_one_reason(both: Any) -> None:
    """A learner is matched to one person on one side, or unmatched with exactly one reason, never both."""
    with empty_world() as world:
        world.portals = list(both)
        world.deleted = {row["sf_contact_id"] for row in both[0].users[:1] if row.get("sf_contact_id")}
        learners = world.inputs().learners
        assert len(learners) == sum(len(portal.users) for portal in both)
        assert (learners["side"].notna() == learners["person_id"].notna()).all()
        assert (learners["side"].notna() != learners["reason"].notna()).all()
