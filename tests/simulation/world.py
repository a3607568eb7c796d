"""Small worlds to start from, and what people do in them on both sides; every choice hangs on a number of its own.

A change is a name and a number: taking one out of a story leaves the others as they are.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Any

from runs.stage import CONTACT_ROWS, MEMBERSHIP, USER_ROWS, Stage
from simulation.model import expected
from simulation.ours import COUNTED, FINISHED, KEY, OWN, PORTAL, REMOVED, State

from etl.emulator.learnupon.portal import Portal

STARTS = ("empty", "synced", "edited", "half")


@dataclass(frozen=True)
class World:
    """What there is before the first night. `start`: the org has no rows, all, some edited by hand, or half of them."""

    number: int
    start: str = "synced"
    portals: int = 2
    learners: int = 3
    courses: int = 2
    enrollments: int = 6
    paths: int = 1
    page_size: int = 500
    order: str = "id"
    job_seconds: float = 0.0
    strict: bool = False
    """Whether guards stop a run that deletes anything."""


@dataclass(frozen=True)
class Change:
    """One thing that somebody does; `number` decides on whom it falls."""

    what: str
    number: int


def build(stage: Stage, world: World) -> None:
    """Fill both sides."""
    dice = Random(f"world {world.number}")
    stage.org.job_seconds = world.job_seconds
    stage.store.knobs.page_size, stage.store.knobs.order = world.page_size, world.order
    stage.configure(guards={"max_deletes": 0 if world.strict else 500, "min_rows": 1000})
    for name in list(stage.store.portals)[world.portals :]:
        del stage.store.portals[name]
    stage.configure(portals=stage.settings["portals"][: world.portals])
    people = [stage.contact() for _ in range(world.learners)]
    for portal in stage.store.portals.values():
        courses = [stage.course(portal, name=f"Course {n}") for n in range(world.courses)]
        paths = [stage.path(*dice.sample(courses, min(2, len(courses))), portal=portal) for _ in range(world.paths)]
        learners = [_learner(stage, portal, dice, people) for _ in range(world.learners)]
        for _ in range(world.enrollments if learners and courses else 0):
            row = _status(dice)
            stage.enroll(dice.choice(learners), dice.choice(courses), portal, **row)
        for path in paths:
            for learner in learners[:2]:
                stage.enroll_path(learner, path, portal, status=dice.choice(COUNTED))
    if world.start != "empty":
        seed(stage, expected(stage.store, stage.org), Random(f"half {world.number}") if world.start == "half" else None)
    if world.start == "edited":
        for _ in range(3):
            happen(stage, Change(dice.choice(BY_ADMINS), dice.randrange(1 << 30)))


def _learner(stage: Stage, portal: Portal, dice: Random, people: list[str]) -> int:
    signed = {"last_sign_in_at": f"2026-11-{dice.randint(1, 19):02d}T08:00:00Z"} if dice.random() < 0.5 else {}
    kind = dice.random()
    if kind < 0.2:
        return stage.learner(portal, sf_user_id=stage.user(), is_salesforce_contact=0, **signed)
    if kind < 0.25:
        return stage.learner(portal, sf_contact_id="0035g00000ZZZZZAAA", **signed)
    if kind < 0.3:
        return stage.learner(portal, sf_contact_id=None, **signed)
    return stage.learner(portal, sf_contact_id=dice.choice(people)[:15], **signed)


def _status(dice: Random) -> dict[str, Any]:
    status = dice.choice(COUNTED)
    row: dict[str, Any] = {"status": status}
    if status in {"passed", "failed"}:
        row["percentage"] = dice.randint(0, 100)
    if dice.random() < 0.1:
        row["unenrolled"] = True
    return row


def seed(stage: Stage, state: State, half: Random | None) -> None:
    """Put rows into the org as an earlier sync would have left them, or only half of them."""
    ids: dict[str, str] = {}
    for name in OWN:
        for key, row in state[name].items():
            if half is not None and half.random() < 0.5:
                continue
            parents = {column: ids.get(str(row[column])) for column in (PORTAL, MEMBERSHIP) if column in row}
            if None in parents.values():
                continue
            ids[key] = stage.org.insert(name, {**row, **parents, KEY: key}, record=False)
    for side in ("Contact", "User"):
        for person, row in state[side].items():
            if half is None or half.random() < 0.5:
                stage.org.update(side, person, row, record=False)


def happen(stage: Stage, change: Change) -> None:
    """Let a change happen; where there is nobody it could fall on, nothing happens."""
    dice = Random(f"{change.what} {change.number}")
    _KINDS[change.what](stage, dice, dice.choice(list(stage.store.portals.values())))


def _row(portal: Portal, dice: Random, *, unfinished: bool = False) -> int | None:
    rows = [
        row["id"]
        for row in portal.enrollments.values()
        if not row["unenrolled"] and not (unfinished and row["status"] in FINISHED)
    ]
    return dice.choice(rows) if rows else None


def _enroll(stage: Stage, dice: Random, portal: Portal) -> None:
    if portal.users and portal.courses:
        stage.enroll(dice.choice(list(portal.users)), dice.choice(list(portal.courses)), portal, **_status(dice))


def _progress(stage: Stage, dice: Random, portal: Portal) -> None:
    row = _row(portal, dice)
    if row is not None:
        done = {"date_completed": portal.now() if dice.random() < 0.5 else None}
        portal.change_enrollment(row, status=dice.choice(COUNTED), percentage=dice.choice([None, 7, 88.5]), **done)


def _unenroll(stage: Stage, dice: Random, portal: Portal) -> None:
    row = _row(portal, dice)
    if row is not None:
        stage.store.knobs.list_unfinished_unenrolled = dice.random() < 0.5
        portal.unenroll(row)


def _erase(stage: Stage, dice: Random, portal: Portal) -> None:
    row = _row(portal, dice)
    if row is not None:
        portal.remove_enrollment(row)


def _erase_path(stage: Stage, dice: Random, portal: Portal) -> None:
    if portal.path_enrollments:
        portal.remove_path_enrollment(dice.choice(list(portal.path_enrollments)))


def _path(stage: Stage, dice: Random, portal: Portal) -> None:
    if portal.path_enrollments:
        portal.change_path_enrollment(dice.choice(list(portal.path_enrollments)), status=dice.choice(COUNTED))


def _arrive(stage: Stage, dice: Random, portal: Portal) -> None:
    learner = stage.learner(portal)
    if portal.courses:
        stage.enroll(learner, dice.choice(list(portal.courses)), portal)


def _leave(stage: Stage, dice: Random, portal: Portal) -> None:
    if portal.users:
        portal.remove_user(dice.choice(list(portal.users)))


def _move(stage: Stage, dice: Random, portal: Portal) -> None:
    if portal.users:
        user = dice.choice(list(portal.users))
        to_user = dice.random() < 0.6
        ids = {"sf_user_id": stage.user()} if to_user else {"sf_contact_id": stage.contact()}
        none = {"sf_user_id": None, "sf_contact_id": None}
        portal.change_user(user, **{**none, **ids}, is_salesforce_contact=0 if to_user else 1)


def _forget(stage: Stage, dice: Random, portal: Portal) -> None:
    if portal.users:
        portal.change_user(dice.choice(list(portal.users)), sf_contact_id=None, sf_user_id=None)


def _rename(stage: Stage, dice: Random, portal: Portal) -> None:
    if portal.courses:
        portal.rename_course(dice.choice(list(portal.courses)), f"Renamed {dice.randrange(100)} 'ü' \"x\",\ny")


def _drop_course(stage: Stage, dice: Random, portal: Portal) -> None:
    if len(portal.courses) > 1:
        portal.remove_course(dice.choice(list(portal.courses)))


def _sign_in(stage: Stage, dice: Random, portal: Portal) -> None:
    if portal.users:
        portal.change_user(dice.choice(list(portal.users)), last_sign_in_at=portal.now())


def _merge(stage: Stage, dice: Random, _: Portal) -> None:
    contacts = list(stage.org.tables["Contact"].rows)
    if len(contacts) > 1:
        master, loser = dice.sample(contacts, 2)
        stage.org.merge_contacts(master, loser)


def _delete_contact(stage: Stage, dice: Random, _: Portal) -> None:
    contacts = list(stage.org.tables["Contact"].rows)
    if contacts:
        stage.org.delete("Contact", dice.choice(contacts), record=False)


def _some(stage: Stage, dice: Random, names: tuple[str, ...]) -> tuple[str, str] | None:
    rows = [(name, one) for name in names for one in stage.org.tables[name].rows]
    return dice.choice(rows) if rows else None


def _edit(stage: Stage, dice: Random, _: Portal) -> None:
    found = _some(stage, dice, (CONTACT_ROWS, USER_ROWS))
    if found:
        values: dict[str, Any] = dice.choice(
            [{"Score__c": 1.25}, {"Course_Name__c": None}, {REMOVED: True}, {"Status__c": "Completed"}]
        )
        stage.org.update(*found, values, record=False)


def _delete_row(stage: Stage, dice: Random, _: Portal) -> None:
    found = _some(stage, dice, OWN[1:])
    if found:
        stage.org.delete(*found, record=False)


def _edit_person(stage: Stage, dice: Random, _: Portal) -> None:
    found = _some(stage, dice, ("Contact",))
    if found:
        stage.org.update(*found, {"LU_Number_Completed__c": 99, "Title": "Edited"}, record=False)


def _stray(stage: Stage, dice: Random, _: Portal) -> None:
    """A row of a portal that is not configured: never to be touched."""
    key = f"99999:enrollment:{dice.randrange(1 << 30)}"
    stage.org.insert(CONTACT_ROWS, {KEY: key, "Status__c": "In Progress"}, record=False)


_Kind = Callable[[Stage, Random, Portal], None]
BY_LEARNERS: dict[str, _Kind] = {
    "enroll": _enroll, "progress": _progress, "unenroll": _unenroll, "erase": _erase, "path": _path,
    "erase path": _erase_path, "arrive": _arrive, "leave": _leave, "move": _move, "forget": _forget,
    "rename": _rename, "drop course": _drop_course, "sign in": _sign_in,
}  # fmt: skip
_BY_ADMINS: dict[str, _Kind] = {
    "merge": _merge, "delete contact": _delete_contact, "edit": _edit, "delete row": _delete_row,
    "edit person": _edit_person, "stray": _stray,
}  # fmt: skip
BY_ADMINS = tuple(_BY_ADMINS)
_KINDS = {**BY_LEARNERS, **_BY_ADMINS}
