"""What can go wrong in a night, drawn at random; it arms and judges nothing (see `armed.py`).

A lie that nobody could see through (404 for a row that is there, asked by its id) is not among them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Any

from runs.stage import CONTACT_PATHS, CONTACT_ROWS, MEMBERSHIP, USER_PATHS, USER_ROWS
from simulation.world import BY_ADMINS, BY_LEARNERS, Change

LISTINGS = {
    "portals": r"^GET /\w+/api/v1/portals",
    "users": r"^GET /\w+/api/v1/users(\?|$)",
    "courses": r"^GET /\w+/api/v1/courses",
    "paths": r"^GET /\w+/api/v1/learning_paths",
    "enrollments": r"^GET /\w+/api/v1/enrollments/search",
    "path enrollments": r"^GET /\w+/api/v1/learning_path_enrollments/search",
}
QUESTIONS = {"question": r"^GET /\w+/api/v1/(users|enrollments|learning_path_enrollments)/\d+"}
SALESFORCE = {
    "sign in": r"^POST /services/oauth2/token",
    "query": r"^GET .*/query\?",
    "describe": r"^GET .*/describe",
    "limits": r"^GET .*/limits",
    "lease": r"^(POST|PATCH|DELETE) .*/composite/sobjects",
    "start a query": r"^POST .*/jobs/query$",
    "look at a query": r"^GET .*/jobs/query/\w+$",
    "results of a query": r"^GET .*/jobs/query/\w+/results",
    "list jobs": r"^GET .*/jobs/ingest\?",
    "create": r"^POST .*/jobs/ingest$",
    "upload": r"^PUT .*/batches$",
    "close or abort": r"^PATCH .*/jobs/ingest/\w+$",
    "look at a job": r"^GET .*/jobs/ingest/\w+$",
    "results": r"^GET .*/jobs/ingest/\w+/(successfulResults|failedResults|unprocessedrecords)",
}
_AFTER = ("create", "upload", "close or abort", "lease")
"""Kinds whose effect matters: a lost answer is drawn for them more often."""
_RETRY_AFTER = (None, "1", "45", "3000", "Sun, 22 Nov 2026 02:00:30 GMT", "soon")


@dataclass(frozen=True)
class Mishap:
    """One thing that goes wrong: at the n-th request of a kind, `times` times in a row."""

    kind: str
    what: str
    nth: int = 1
    times: int | None = 1
    detail: Any = None

    @property
    def disturbs(self) -> bool:
        """Return whether this is a person at work, so that no single moment can be the truth of the run."""
        return self.what in {"admin", "learner", "rows move"}

    @property
    def deceives(self) -> bool:
        """Return whether LearnUpon lies so that nobody could see it: a listing that ends early, and says so."""
        return self.what == "page" and self.detail == "empty"


def draw(dice: Random) -> Mishap:
    """Draw a mishap."""
    what = dice.choices(list(_DRAWS), [weight for weight, _ in _DRAWS.values()])[0]
    return _DRAWS[what][1](dice)


def _nth(dice: Random) -> int:
    return min(int(dice.expovariate(0.45)) + 1, 12)


def _kind(dice: Random) -> str:
    return dice.choice([*LISTINGS, *QUESTIONS, *SALESFORCE])


def _status(dice: Random) -> Mishap:
    kind = _kind(dice)
    choices = [401, 403, 429, 429, 500, 502, 503, 503, *([] if kind in QUESTIONS else [400, 404])]
    status = dice.choice(choices)
    detail = (status, dice.choice(_RETRY_AFTER) if status in {429, 503} else None)
    return Mishap(kind, "status", _nth(dice), dice.choice([1, 1, 2, 4, None]), detail)


def _late_status(dice: Random) -> Mishap:
    return Mishap(dice.choice(_AFTER), "status after", _nth(dice), 1, (dice.choice([500, 503, 504]), None))


def _html(dice: Random) -> Mishap:
    return Mishap(_kind(dice), "html", _nth(dice), dice.choice([1, 1, None]))


def _cut(dice: Random) -> Mishap:
    return Mishap(
        _kind(dice), "cut", _nth(dice), dice.choice([1, 1, 2]), (dice.choice([0, 1, 40, 300]), dice.random() < 0.5)
    )


def _reset(dice: Random) -> Mishap:
    return Mishap(_kind(dice), "reset", _nth(dice), dice.choice([1, 1, 2, None]))


def _lost(dice: Random) -> Mishap:
    kind = dice.choice(_AFTER) if dice.random() < 0.7 else _kind(dice)
    return Mishap(kind, "answer lost", _nth(dice), dice.choice([1, 1, 2, 3]))


def _slow(dice: Random) -> Mishap:
    return Mishap(_kind(dice), "slow", _nth(dice), dice.choice([1, 1, 3]), dice.choice([5.0, 61.0, 700.0]))


def _page(dice: Random) -> Mishap:
    kind = dice.choice(list(LISTINGS))
    how = dice.choice(["no header", "stuck header", "empty", "no list", "another list", "first page again"])
    return Mishap(kind, "page", _nth(dice), dice.choice([1, 1, None]), how)


def _counts(dice: Random) -> Mishap:
    return Mishap("results of a query", "count", _nth(dice), dice.choice([1, None]), dice.choice([None, "1", "junk"]))


def _job(dice: Random) -> Mishap:
    if dice.random() < 0.15:
        return Mishap("upload", "short upload", _nth(dice), 1, dice.choice([0, 30, 150, 400]))
    how = dice.choice(["stuck", "stuck for ever", "fails at once", "fails after a row", "aborted by a person"])
    return Mishap("close or abort", "job", _nth(dice), 1, how)


def _refusal(dice: Random) -> Mishap:
    name = dice.choice(
        [CONTACT_ROWS, CONTACT_ROWS, MEMBERSHIP, USER_ROWS, CONTACT_PATHS, USER_PATHS, "Contact", "User"]
    )
    error, times = dice.choice(
        [("UNABLE_TO_LOCK_ROW", 1), ("UNABLE_TO_LOCK_ROW", None), ("FIELD_CUSTOM_VALIDATION_EXCEPTION:no", None)]
    )
    return Mishap(
        "create",
        "refusal",
        1,
        times,
        (name, error, dice.choice([("create",), ("update",), ("delete",), ("create", "update")])),
    )


def _session(dice: Random) -> Mishap:
    return Mishap(dice.choice(list(SALESFORCE)), "session expires", _nth(dice), dice.choice([1, 1, 2]))


def _lease(dice: Random) -> Mishap:
    return Mishap(dice.choice(list(SALESFORCE)), "lease", _nth(dice), 1, dice.choice(["deleted", "stale"]))


def _person(dice: Random) -> Mishap:
    change = Change(dice.choice([*BY_LEARNERS, *BY_ADMINS]), dice.randrange(1 << 30))
    return Mishap(_kind(dice), "admin" if change.what in BY_ADMINS else "learner", _nth(dice), 1, change)


def _rows_move(dice: Random) -> Mishap:
    return Mishap(
        "enrollments",
        "rows move",
        _nth(dice),
        1,
        (dice.choice(["remove", "insert", "update"]), dice.randrange(1 << 30)),
    )


def _quota(dice: Random) -> Mishap:
    return Mishap("limits", "quota", 1, 1, dice.choice([0, 3, 40]))


_DRAWS: dict[str, tuple[int, Callable[[Random], Mishap]]] = {
    "status": (6, _status), "status after": (3, _late_status), "html": (2, _html), "cut": (4, _cut),
    "reset": (4, _reset), "answer lost": (7, _lost), "slow": (3, _slow), "page": (5, _page), "count": (2, _counts),
    "job": (5, _job), "refusal": (4, _refusal), "session": (2, _session), "lease": (2, _lease),
    "person": (5, _person), "rows move": (3, _rows_move), "quota": (1, _quota),
}  # fmt: skip
