"""What the org holds of the benchmark's world: yesterday's rows of every object, or only people without any."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from bench.servers.base import MADE, Base, Column, Numbered, Repeated, constant
from bench.servers.digits import Ints
from bench.servers.fields import PREFIXES
from bench.servers.portal import signed_in
from bench.servers.shape import (
    COURSE_0,
    ENROLLMENT_0,
    LEARNER_0,
    ON_PATH,
    PATH_ENROLLMENT_0,
    PORTAL_ID,
    Periodic,
    Shape,
)  # fmt: skip
from bench.servers.traits import Traits

OUR_USER = "0055g9999999999AAA"
_LABELS = ["Not Started", "In Progress", "Pending Review", "Completed", "Passed", "Failed"]
_COUNTS = ("Not_Started", "In_Progress", "Pending_Review", "Completed", "Passed", "Failed")
_SYSTEM: Mapping[str, Column] = {
    "IsDeleted": constant("false"), "CreatedDate": constant(MADE), "LastModifiedDate": constant(MADE),
    "SystemModstamp": constant(MADE), "LastModifiedById": constant(OUR_USER), "Name": constant("Bench"),
}  # fmt: skip


def record_id(name: str, which: str = "i") -> Numbered:
    """Return the record ids of an object; without capital letters the last three characters are always AAA."""
    return Numbered(f"{PREFIXES[name]}5g", 10, which, 0, "AAA")


def number(value: float | None) -> str | None:
    """Return a number as a Bulk result has it: `5.0` (the text of a Java double)."""
    return None if value is None else repr(float(value))


def _stamp(moment: str | None) -> str | None:
    return None if moment is None else moment.replace("Z", ".000Z")


def _texts(values: list[str | None]) -> Repeated:
    return Repeated(pa.array(values, pa.string()))


def _whole(which: str, width: int, base: int) -> Numbered:
    return Numbered("", width, which, base, ".0")


def _enrolled(name: str, kind: str, traits: Traits, first: int) -> dict[str, Column]:
    """Return the columns that all four objects of enrollments have, as of yesterday."""
    places = range(len(traits.change))
    person = "User" if name in {"LearnUponEnrollment__c", "LearnUponLearningPathEnrollment__c"} else "Contact"
    return {
        **_SYSTEM,
        "Id": record_id(name),
        "LU_Key__c": Numbered(f"{PORTAL_ID}:{kind}:", 10, "i", first),
        "LearnUpon_Portal_Membership__r.LU_Key__c": Numbered(f"{PORTAL_ID}:member:", 8, "u", LEARNER_0),
        "LearnUpon_Portal_Membership__c": record_id("LearnUpon_Portal_Membership__c", "u"),
        f"SF{person}__c": record_id(person, "u"),
        "LUEnrollment__c": _whole("i", 10, first),
        "LUUser__c": _whole("u", 8, LEARNER_0),
        "Status__c": _texts([_LABELS[status] for status in traits.status("yesterday").tolist()]),
        "Score__c": _texts([number(traits.score(at, "yesterday")) for at in places]),
        "Date_Enrolled__c": _texts([_stamp(moment) for moment in traits.enrolled]),
        "Date_Completed__c": _texts([_stamp(traits.ended(at, "yesterday")) for at in places]),
        "Removed_In_LearnUpon__c": constant("false"),
    }


def _of_person(rows: Periodic, *, users: bool) -> Periodic:
    """Return those of some rows that are of Users (every tenth) or of Contacts."""
    mine = (rows.rests % 10 == 0) == users
    return Periodic(rows.space, rows.period, rows.rests[mine])


def _enrollments(shape: Shape, name: str, *, users: bool) -> Base:
    traits = shape.traits
    columns: dict[str, Column] = {
        **_enrolled(name, "enrollment", traits, ENROLLMENT_0),
        "Course_Name__c": Numbered("Course ", 5, "c", 0, " - Intro to compliance"),
        "Course_Id__c": _whole("c", 7, COURSE_0),
        "Course_Version__c": _texts([number(version) for version in traits.version]),
        "Percent_Complete__c": _texts([number(percent) for percent in traits.percent]),
    }
    return Base(_of_person(shape.listed("yesterday"), users=users), columns, {"u": shape.learner, "c": shape.course})


def _path_enrollments(shape: Shape, name: str, done: Ints, *, users: bool) -> Base:
    columns: dict[str, Column] = {
        **_enrolled(name, "path", shape.path_traits, PATH_ENROLLMENT_0),
        "Path_Name__c": Numbered("Path ", 3, "p", 0, " - From beginner to expert"),
        "Number_Of_Courses_On_Path__c": constant(number(ON_PATH)),
        "Number_Of_Courses_Completed_On_Path__c": Numbered("", 1, "d", 0, ".0"),
    }
    numbers = {
        "u": shape.learner,
        "p": shape.path,
        "d": lambda rows: done[shape.path(rows), shape.learner(rows)],
    }
    return Base(_of_person(shape.paths_listed("yesterday"), users=users), columns, numbers)


def _totals(totals: Ints) -> dict[str, Column]:
    """Return the eight columns of totals, beside the learner's number."""
    found = {"Enrolled": totals.sum(axis=1)} | {name: totals[:, at] for at, name in enumerate(_COUNTS)}
    columns: dict[str, Column] = {
        f"LU_Number_{name}__c": Repeated(pc.binary_join_element_wise(pa.array(values).cast(pa.string()), ".0", ""), "u")
        for name, values in found.items()
    }
    last = pa.array([_stamp(moment) for moment in signed_in(np.arange(1_000))], pa.string())
    return {**columns, "LU_Last_Accessed_At__c": Repeated(last.take(pa.array(np.arange(len(totals)) % 1_000)), "u")}


def _same(numbers: Ints) -> Ints:
    return numbers


def _memberships(shape: Shape, totals: Mapping[str, Column]) -> Base:
    name = "LearnUpon_Portal_Membership__c"
    contact, user = (
        _person_of_ten(person, users=person == "User", learners=shape.learners) for person in ("Contact", "User")
    )
    columns: dict[str, Column] = {
        **_SYSTEM, **totals, "Id": record_id(name), "LU_Key__c": Numbered(f"{PORTAL_ID}:member:", 8, "i", LEARNER_0),
        "LearnUpon_Portal__r.LU_Key__c": constant(str(PORTAL_ID)),
        "LearnUpon_Portal__c": constant(f"{PREFIXES['LearnUpon_Portal__c']}5g0000000000AAA"),
        "Contact__c": contact, "User__c": user, "Portal_Id__c": constant(number(PORTAL_ID)),
        "LU_Portal_Membership_ID__c": _whole("i", 8, LEARNER_0), "Removed_In_LearnUpon__c": constant("false"),
    }  # fmt: skip
    return Base(Periodic(shape.learners, 10, np.arange(10)), columns, {"u": _same})


def _person_of_ten(person: str, *, users: bool, learners: int) -> Repeated:
    """Return the lookup to Contact or User of every learner; blank on the other side."""
    numbers = np.arange(learners, dtype=np.int64)
    ids = record_id(person).of(numbers, {"i": numbers})
    mine = pa.array((numbers % 10 == 0) == users)
    return Repeated(pc.if_else(mine, ids, pa.scalar(None, pa.string())), "u")


def _people(shape: Shape, name: str, totals: Mapping[str, Column], *, known: bool) -> Base:
    rests = np.array([0]) if name == "User" else np.arange(1, 10)
    own: dict[str, Column] = {**totals, "LU_User_ID__c": _whole("i", 8, LEARNER_0)}
    columns: dict[str, Column] = {
        **_SYSTEM, **(own if known else dict.fromkeys(own, constant(None))), "Id": record_id(name),
        "Email": Numbered("u", 8, "i", LEARNER_0, "@example.com"), "MasterRecordId": constant(None),
    }  # fmt: skip
    return Base(Periodic(shape.learners, 10, rests), columns, {"u": _same})


def _portal() -> Base:
    columns: dict[str, Column] = {
        **_SYSTEM, "Id": record_id("LearnUpon_Portal__c"), "LU_Key__c": constant(str(PORTAL_ID)),
        "Portal_Id__c": constant(number(PORTAL_ID)),
    }  # fmt: skip
    return Base(Periodic(1, 1, np.array([0])), columns, {})


def _empty(base: Base) -> Base:
    return Base(Periodic(0, base.rows.period, base.rows.rests), base.columns, base.numbers)


def holdings(shape: Shape, *, first_load: bool) -> dict[str, Base]:
    """Return what the org holds by object: yesterday's rows, or before a first load people and nothing else."""
    done, totals = shape.done("yesterday"), _totals(shape.totals("yesterday"))
    found = {
        "LearnUpon_Portal__c": _portal(),
        "LearnUpon_Portal_Membership__c": _memberships(shape, totals),
        "LearnUponEnrollment__c": _enrollments(shape, "LearnUponEnrollment__c", users=True),
        "LearnUponContactEnrollment__c": _enrollments(shape, "LearnUponContactEnrollment__c", users=False),
    }
    for name, users in (
        ("LearnUponLearningPathEnrollment__c", True),
        ("LearnUponLearningPathContactEnrollment__c", False),
    ):
        found[name] = _path_enrollments(shape, name, done, users=users)
    if first_load:
        found = {name: _empty(base) for name, base in found.items()}
    people = {name: _people(shape, name, totals, known=not first_load) for name in ("Contact", "User")}
    run = Base(Periodic(0, 1, np.array([0])), {**_SYSTEM, "Id": record_id("LearnUpon_Sync_Run__c")}, {})
    return {**found, **people, "LearnUpon_Sync_Run__c": run}
