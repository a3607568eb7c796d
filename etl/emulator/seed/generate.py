"""A whole invented world from a seed: portals whose ids collide and who share people; nothing is loaded yet."""

from __future__ import annotations

import random
from dataclasses import dataclass

from etl.emulator.seed.courses import courses, paths
from etl.emulator.seed.people import People
from etl.emulator.seed.shape import Person, PortalRows, Shape
from etl.emulator.seed.training import enrollments, path_enrollments

# The same numbers in every portal, so that ids of two portals collide.
FIRST_USER, FIRST_COURSE, FIRST_ENROLLMENT, FIRST_PATH, FIRST_PATH_ENROLLMENT = 1001, 5001, 700_001, 301, 90_001
PORTALS = (("academy", 12345, "Acme Academy"), ("partners", 67890, 'Partners & "Friends", Ltd.'))
SHARED = 0.4


@dataclass
class World:
    """Portals with their rows, and the people of Salesforce."""

    shape: Shape
    portals: list[PortalRows]
    people: list[Person]


def generate(shape: Shape) -> World:
    """Make the world of a shape; the same shape always gives the same world."""
    made = World(shape, [_named(place) for place in range(shape.portals)], [])
    if not shape.learners:
        return made
    dice = random.Random(f"world {shape.seed}")
    people = People(dice, shape.now)
    for portal, size in zip(made.portals, _sizes(shape.learners, shape.portals), strict=True):
        _fill(shape, dice, people, made.portals[0], portal, size)
    made.people = people.people
    return made


def _named(place: int) -> PortalRows:
    if place < len(PORTALS):
        return PortalRows(*PORTALS[place])
    return PortalRows(f"portal-{place + 1}", 70_000 + place, f"Portal {place + 1}")


def _sizes(learners: int, portals: int) -> list[int]:
    """Two thirds in the first portal, the rest spread over the others."""
    if portals == 1:
        return [learners]
    rest = learners // 3
    others = [rest // (portals - 1) + (place < rest % (portals - 1)) for place in range(portals - 1)]
    return [learners - sum(others), *others]


def _fill(shape: Shape, dice: random.Random, people: People, first: PortalRows, portal: PortalRows, size: int) -> None:
    known = list(first.learners)
    shared = dice.sample(known, min(len(known), int(size * SHARED))) if portal is not first else []
    for place in range(size):
        number = FIRST_USER + place
        portal.learners.append(people.again(number, shared[place]) if place < len(shared) else people.learner(number))
    course_count = shape.courses_per_portal or max(24, min(300, size // 25))
    path_count = max(4, course_count // 12) if shape.paths_per_portal is None else shape.paths_per_portal
    portal.courses = courses(dice, course_count, shape.now, FIRST_COURSE, turn=0 if portal is first else 7)
    count = size * shape.enrollments_per_learner
    portal.enrollments = enrollments(dice, portal.learners, portal.courses, count, shape.now, FIRST_ENROLLMENT)
    portal.paths = paths(dice, path_count, portal.courses, FIRST_PATH)
    rows = (portal.learners, portal.paths, portal.enrollments)
    portal.path_enrollments = path_enrollments(dice, rows, shape.now, FIRST_PATH_ENROLLMENT)
