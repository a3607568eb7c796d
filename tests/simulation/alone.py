"""Stories in which one single thing goes wrong, where it is sure to strike; it plays and judges none of them.

Of hundreds of drawn stories none may have a rare mishap fall on a page or a job that matters. Here each lie of a page
falls on each listing where rows hang on it, and each trouble of a job on one that creates rows.
"""

from __future__ import annotations

from collections.abc import Iterator

from runs.stage import CONTACT_ROWS
from simulation.mishaps import Mishap
from simulation.story import Story, Try
from simulation.world import World

_WORLD = World(number=2, start="empty", portals=1, page_size=1, learners=4, enrollments=8, paths=2)
"""All rows are new, and each of LearnUpon's is on a page of its own."""
_LAST = {"users": 4, "courses": 2, "paths": 2, "enrollments": 8, "path enrollments": 4}
"""The last request of each listing, which is for a last page, whatever order threads ask in."""
_ENDS = ("stuck", "stuck for ever", "fails at once", "fails after a row", "aborted by a person")


def _of_listings() -> Iterator[Mishap]:
    for kind, last in _LAST.items():
        yield Mishap(kind, "page", 1, 1, "no header")
        yield Mishap(kind, "page", 2, 1, "first page again")
        yield Mishap(kind, "page", last, 1, "no list")
        yield Mishap(kind, "cut", 2, None, (40, True))


def _of_jobs() -> Iterator[Mishap]:
    yield from (Mishap("close or abort", "job", 1, 1, end) for end in _ENDS)
    yield from (Mishap("upload", "short upload", 3, 1, kept) for kept in (0, 150, 600))
    for step in ("create", "upload", "close or abort"):
        yield Mishap(step, "answer lost", 2)
        yield Mishap(step, "slow", 1, 1, 700.0)
    yield from (Mishap("results", "cut", nth, 1, (40, True)) for nth in (1, 2, 3))
    for error in ("FIELD_CUSTOM_VALIDATION_EXCEPTION:no", "UNABLE_TO_LOCK_ROW"):
        yield Mishap("create", "refusal", 1, None, (CONTACT_ROWS, error, ("create",)))


STORIES = {
    what: [Story(10 * number + 1, _WORLD, (), (Try((one,)),)) for number, one in enumerate(mishaps)]
    for what, mishaps in (("listings", _of_listings()), ("jobs", _of_jobs()))
}
