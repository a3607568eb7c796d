"""What a portal may do this way or that: every point where LearnUpon's documents are silent or portals differ."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

CHOICES: dict[str, tuple[object, ...]] = {
    "gone": ("404", "empty", "mixed"),
    "order": ("id", "id_desc", "updated_at", "updated_at_desc"),
    "past_end": ("empty", "404"),
    "empty_search": ("empty", "404"),
    "rate_headers": ("2xx", "always", "never"),
    "user_not_found": (404, 422),
    "path_course_key": ("id", "course_id"),
    "portals_listed": ("all", "own", "others", "none"),
}


@dataclass
class Knobs:
    """Settings of the emulated LearnUpon, the same for all its portals.

    `page_size`: rows a page and value of LU-Records-Per-Page (documented default 500; 499 with a next page
    was captured). `honour_per_page`: obey the undocumented `per_page`. `order`: of listings; undocumented, so
    by id unless told. `gone`: what a look-up of an id that does not exist answers; both were seen, so `mixed`
    answers 404 for even ids and an empty list for odd ones. `past_end`: a page after the last one
    (undocumented). `empty_search`: an enrollment search without a hit (assumed an empty list).
    `user_not_found`: status of users/search without a hit (404 attested, 422 handled by one client).
    `refuse_content_type`: 400 for ``Content-Type: application/json`` on a GET (measured on two portals; the
    documents' own samples send it). `rate_headers`: on 2xx only (measured) or else.
    `requests_per_minute`, `requests_per_week`: per portal; `minute_seconds` shortens the minute for tests.
    `retry_after`: None (undocumented header left out), "auto" (seconds left in the minute) or a literal value.
    `list_unfinished_unenrolled`: an unfinished enrollment that is unenrolled stays listed with the flag instead
    of going away. `list_finished_unenrolled`: the same for a finished one (attested). `date_filter_field`: what
    date_from/date_to look at (undocumented). `source_id_finds_versions`: a search by course_id also finds
    enrollments of other versions with that source id (unknown). `misspelt_definitions`: the key
    ``customDataFieldDefintions`` as seen in the field. `path_course_key`: name of the course id in the elements
    of a path's `courses` (undocumented). `portals_listed`: what GET /portals shows.
    `true_word`, `false_word`: spelling of LU-Has-Next-Page.
    """

    page_size: int = 500
    honour_per_page: bool = False
    order: str = "id"
    gone: str = "mixed"
    past_end: str = "empty"
    empty_search: str = "empty"
    user_not_found: int = 404
    refuse_content_type: bool = True
    rate_headers: str = "2xx"
    requests_per_minute: int = 6000
    requests_per_week: int = 500_000
    minute_seconds: float = 60.0
    retry_after: int | str | None = None
    list_unfinished_unenrolled: bool = False
    list_finished_unenrolled: bool = True
    date_filter_field: str = "date_enrolled"
    source_id_finds_versions: bool = False
    misspelt_definitions: bool = False
    path_course_key: str = "id"
    portals_listed: str = "all"
    true_word: str = "true"
    false_word: str = "false"

    def __setattr__(self, name: str, value: Any) -> None:
        """Set and count: cached pages belong to one state of the knobs."""
        object.__setattr__(self, name, value)
        self.__dict__["_turns"] = self.version + 1

    @property
    def version(self) -> int:
        """How often a knob was turned."""
        return int(self.__dict__.get("_turns", 0))

    def names(self) -> list[str]:
        """Names of all knobs."""
        return [one.name for one in fields(self)]

    def turn(self, name: str, value: Any) -> None:
        """Set one knob; ValueError for a name, type or choice that does not exist."""
        if name not in self.names():
            raise ValueError(f"no knob {name!r}; known: {', '.join(self.names())}")
        if name in CHOICES and value not in CHOICES[name]:
            raise ValueError(f"{name} is one of {CHOICES[name]}, not {value!r}")
        default = getattr(type(self), name, None)
        if isinstance(default, bool) != isinstance(value, bool):
            raise ValueError(f"{name} wants a {type(default).__name__}, not {value!r}")
        if isinstance(default, int | float) and not (isinstance(value, int | float) and value >= 0):
            raise ValueError(f"{name} wants a number from 0 up, not {value!r}")
        if name in ("page_size", "minute_seconds") and not value:
            raise ValueError(f"{name} is above 0, not {value!r}")
        setattr(self, name, value)
