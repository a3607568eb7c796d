"""What an endpoint has to say, before it becomes bytes; knows no endpoint and no socket."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from etl.emulator.learnupon.portal import Portal

Fields = dict[str, Any]
Query = dict[str, str]


class Refusal(Exception):
    """An error answer: `message` and `response_code`, as clients of real portals found."""

    def __init__(self, status: int, message: str, *, key: str = "message") -> None:
        """Keep status and text; `key` names the text in the body."""
        super().__init__(message)
        self.status = status
        self.body: Fields = {key: message} if key == "error" else {key: message, "response_code": status}


@dataclass(frozen=True)
class Listing:
    """Rows of all pages in order, shown through `view`; `head` keys come before the list."""

    key: str
    rows: Sequence[Fields]
    view: Callable[[Fields], Fields] | None = None
    head: Fields = field(default_factory=dict)


@dataclass(frozen=True)
class Whole:
    """A body that is not paged."""

    body: Fields


Answer = Listing | Whole


def flag(query: Query, name: str) -> bool:
    """A boolean parameter: the text ``true`` only, everything else is false (assumed; default false)."""
    return query.get(name, "").lower() == "true"


def number(text: str) -> int:
    """An id from a query; what is no number matches nothing, as in LearnUpon's framework (assumed)."""
    return int(text) if text.strip().isdecimal() else -1


def contains(needle: str) -> Callable[[str], bool]:
    """A test for the `name` patterns: part of the name, without case (assumed; documented as a pattern)."""
    folded = needle.casefold()
    return lambda text: folded in text.casefold()


def gone(portal: Portal, key: str, one_id: int) -> Whole:
    """The answer to a look-up of an id that does not exist: 404 or an empty list; clients of real portals saw both."""
    how = portal.knobs.gone
    if how == "404" or (how == "mixed" and one_id % 2 == 0):
        raise Refusal(404, f"No record found for id {one_id}")
    return Whole({key: []})
