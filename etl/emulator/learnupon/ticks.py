"""Changes to portals by name, for faults and for the back door over HTTP; decides no answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from etl.emulator.learnupon.store import LearnUponStore

METHODS = (
    "add_user", "add_course", "add_enrollment", "add_path", "add_path_enrollment", "add_group",
    "change_user", "change_enrollment", "change_path_enrollment", "rename_course", "mark_complete",
    "unenroll", "remove_enrollment", "remove_path_enrollment", "remove_user", "remove_course", "remove_path",
)  # fmt: skip


def ticks_of(store: LearnUponStore) -> dict[str, Callable[..., Any]]:
    """Every change of a portal as ``name(portal, **arguments)``, and a few that move many rows at once."""

    def of(method: str) -> Callable[..., Any]:
        return lambda portal, **arguments: getattr(store.portals[portal], method)(**arguments)

    ticks: dict[str, Callable[..., Any]] = {method: of(method) for method in METHODS}
    ticks["remove_rows"] = lambda portal, course_id, count=1: _remove_rows(store, portal, course_id, count)
    ticks["insert_rows"] = lambda portal, course_id, count=1: _insert_rows(store, portal, course_id, count)
    ticks["update_rows"] = lambda portal, course_id, count=1: _update_rows(store, portal, course_id, count)
    ticks["change_portal"] = lambda portal, **values: _change_portal(store, portal, values)
    ticks["touch"] = store.touch
    return ticks


def _change_portal(store: LearnUponStore, portal: str, values: dict[str, Any]) -> None:
    """Change what a portal is called, its id, its key pair or its limits."""
    known = ("portal_id", "title", "subdomain", "username", "password", "requests_per_minute", "requests_per_week")
    for name, value in values.items():
        if name not in known:
            raise ValueError(f"a portal has no {name!r}; known: {', '.join(known)}")
        setattr(store.portals[portal], name, value)


def _rows_of(store: LearnUponStore, portal: str, course_id: int, count: int) -> list[int]:
    rows = [row["id"] for row in store.portals[portal].enrollments.values() if row["course_id"] == course_id]
    return sorted(rows)[:count]


def _remove_rows(store: LearnUponStore, portal: str, course_id: int, count: int) -> list[int]:
    """Erase the first rows of a course: the rest of a walk by pages shifts forward."""
    gone = _rows_of(store, portal, course_id, count)
    for one in gone:
        store.portals[portal].remove_enrollment(one)
    return gone


def _insert_rows(store: LearnUponStore, portal: str, course_id: int, count: int) -> list[int]:
    """Enroll learners anew: with the order id_desc they come first and push the rest back."""
    owner = store.portals[portal]
    learners = sorted(owner.users)
    made = [owner.add_enrollment(user_id=learners[n % len(learners)], course_id=course_id) for n in range(count)]
    return [row["id"] for row in made]


def _update_rows(store: LearnUponStore, portal: str, course_id: int, count: int) -> list[int]:
    """Touch the first rows of a course: with the order updated_at they move to the end."""
    moved = _rows_of(store, portal, course_id, count)
    for one in moved:
        store.portals[portal].change_enrollment(one)
    return moved
