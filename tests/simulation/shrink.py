"""A story that fails, made as short as it can be and still fail: what is left is what matters; it draws nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, TypeVar

from simulation.story import Story, Try

_Part = TypeVar("_Part")
_MOST_PLAYS = 150
_SMALLER: tuple[tuple[str, tuple[Any, ...]], ...] = (
    ("start", ("empty", "synced", "half", "edited")),
    ("portals", (1, 2)),
    ("paths", (0, 1)),
    ("enrollments", tuple(range(10))),
    ("courses", (1, 2, 3)),
    ("learners", (1, 2, 3, 4)),
    ("page_size", (500, 3, 2, 1)),
    ("order", ("id", "id_desc", "updated_at")),
    ("job_seconds", (0.0, 4.0, 90.0)),
    ("strict", (False, True)),
)
"""Properties of a world, each with its values from the simplest on."""


def shrunk(story: Story, fails: Callable[[Story], bool]) -> Story:
    """Return the shortest story found that still fails; `fails` plays one. At most 150 are played."""
    plays = 0
    found = True
    while found:
        found = False
        for shorter in _shorter(story):
            plays += 1
            if plays > _MOST_PLAYS:
                return story
            if fails(shorter):
                story, found = shorter, True
                break
    return story


def _shorter(story: Story) -> Iterator[Story]:
    for place in range(len(story.tries) if len(story.tries) > 1 else 0):
        yield replace(story, tries=_without(story.tries, place))
    for place, one in enumerate(story.tries):
        for simpler in _simpler(one):
            yield replace(story, tries=(*story.tries[:place], simpler, *story.tries[place + 1 :]))
    for place in range(len(story.changes)):
        yield replace(story, changes=_without(story.changes, place))
    for name, values in _SMALLER:
        now = getattr(story.world, name)
        if now in values:
            for value in values[: values.index(now)]:
                yield replace(story, world=replace(story.world, **{name: value}))


def _simpler(one: Try) -> Iterator[Try]:
    for place in range(len(one.mishaps)):
        yield replace(one, mishaps=_without(one.mishaps, place))
    if one.kill is not None:
        yield replace(one, kill=None)
    if one.loses_state:
        yield replace(one, loses_state=False)
    for place, mishap in enumerate(one.mishaps):
        if mishap.times != 1:
            single = replace(mishap, times=1)
            yield replace(one, mishaps=(*one.mishaps[:place], single, *one.mishaps[place + 1 :]))


def _without(parts: tuple[_Part, ...], place: int) -> tuple[_Part, ...]:
    return parts[:place] + parts[place + 1 :]


def told(story: Story) -> str:
    """Return a story in words."""
    lines = [f"seed {story.seed}", f"  {story.world}"]
    lines += [f"  then: {change.what} ({change.number})" for change in story.changes]
    for number, one in enumerate(story.tries, 1):
        lines.append(
            f"  run {number}: {one.kill or 'not killed'}{', its state folder is lost' if one.loses_state else ''}"
        )
        lines += [f"    {mishap}" for mishap in one.mishaps]
        lines.append(f"    {one.gap_s:g} s until the next run")
    return "\n".join(lines)
