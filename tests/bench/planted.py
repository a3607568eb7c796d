"""What happens overnight in the benchmark's world, counted from its arithmetic: what everybody should find."""

from __future__ import annotations

from functools import cache

import numpy as np
from bench.servers.digits import Ints
from bench.servers.shape import Shape
from bench.servers.traits import GONE, NEW, SCORE, STATUS, Traits

_FINISHED = (3, 4, 5)
_CHUNK = 1_000_000
Counts = dict[str, int]


@cache
def planted(shape: Shape) -> dict[str, Counts]:
    """Return how many rows are created, updated and deleted in the night, by object."""
    differ = (shape.totals("today") != shape.totals("yesterday")).any(axis=1)
    users = int(differ[::10].sum())
    contacts = int(differ.sum()) - users
    done = shape.done("today") != shape.done("yesterday")
    courses = [_none(), _none()]
    for numbers in _chunks(shape.enrollments + shape.vanished):
        _add(courses, shape.traits, numbers, shape.enrollments, np.zeros(len(numbers), bool))
    paths = [_none(), _none()]
    for numbers in _chunks(shape.path_enrollments):
        moved = done[shape.path(numbers), shape.learner(numbers)]
        _add(paths, shape.path_traits, numbers, shape.path_enrollments, moved)
    return {
        "LearnUpon_Portal_Membership__c": _none() | {"updated": users + contacts},
        "LearnUponEnrollment__c": courses[0],
        "LearnUponContactEnrollment__c": courses[1],
        "LearnUponLearningPathEnrollment__c": paths[0],
        "LearnUponLearningPathContactEnrollment__c": paths[1],
        "Contact": _none() | {"updated": contacts},
        "User": _none() | {"updated": users},
    }


def _none() -> Counts:
    return {"created": 0, "updated": 0, "deleted": 0}


def _chunks(stop: int) -> list[Ints]:
    return [np.arange(start, min(start + _CHUNK, stop)) for start in range(0, stop, _CHUNK)]


def _add(sides: list[Counts], traits: Traits, numbers: Ints, listed: int, moved: np.ndarray) -> None:
    """Count what happens to some rows, those of Users and those of Contacts; `moved` says whose path went on."""
    places = numbers % len(traits.change)
    change, there = traits.change[places], numbers < listed
    finished = np.isin(np.where(there, traits.today[places], traits.status("yesterday")[places]), _FINISHED)
    leaves = np.where(there, change == GONE, change != NEW)
    fates = {
        "created": there & (change == NEW),
        "deleted": leaves & ~finished,
        "updated": (leaves & finished)
        | (there & np.isin(change, (STATUS, SCORE)))
        | (there & ~leaves & moved & (change != NEW)),
    }
    for side, mine in enumerate((numbers % 10 == 0, numbers % 10 != 0)):
        for fate, rows in fates.items():
            sides[side][fate] += int((rows & mine).sum())
