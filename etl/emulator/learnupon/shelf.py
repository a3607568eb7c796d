"""Sorted row lists and finished page bytes of one portal, thrown away at every change; decides no content."""

from __future__ import annotations

import gzip
import json
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from etl.emulator.learnupon.answers import Fields, Listing
    from etl.emulator.learnupon.portal import Portal

CACHE_BYTES = 512 * 2**20


@dataclass
class Page:
    """A page as it goes out, with its paging headers."""

    body: bytes
    headers: list[tuple[str, str]]
    gzipped: bytes | None = None

    def compressed(self) -> bytes:
        """The body in gzip, made once."""
        if self.gzipped is None:
            self.gzipped = gzip.compress(self.body, 1)
        return self.gzipped


def encode(value: Any) -> bytes:
    """Compact JSON in UTF-8; characters beyond ASCII are not escaped."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")


class Shelf:
    """The memory of one portal between two changes of its rows or of the knobs."""

    def __init__(self, portal: Portal) -> None:
        """Start empty."""
        self.portal = portal
        self._state = (-1, -1)
        self._lists: dict[Any, Any] = {}
        self._pages: dict[Any, Page] = {}
        self._bytes = 0

    def page(self, key: Any, build: Callable[[], Page]) -> Page:
        """The page under this key, built when it is not there; what exceeds the cache is built each time."""
        with self.portal.lock:
            self._refresh()
            found = self._pages.get(key)
            if found is None:
                state = self._state
                found = build()
                if state == self._now() and self._bytes + len(found.body) <= CACHE_BYTES:
                    self._pages[key] = found
                    self._bytes += len(found.body)
            return found

    def rows(self, table: str) -> list[Fields]:
        """All rows of a table in the order of listings."""
        found: list[Fields] = self._keep(table, lambda: self._sorted(table))
        return found

    def by(self, table: str, column: str) -> dict[Any, list[Fields]]:
        """The same rows grouped by a column."""
        found: dict[Any, list[Fields]] = self._keep((table, column), lambda: self._grouped(table, column))
        return found

    def _keep(self, key: Any, build: Callable[[], Any]) -> Any:
        with self.portal.lock:
            self._refresh()
            if key not in self._lists:
                self._lists[key] = build()
            return self._lists[key]

    def _now(self) -> tuple[int, int]:
        return self.portal.version, self.portal.knobs.version

    def _refresh(self) -> None:
        if self._state != self._now():
            self._state = self._now()
            self._lists.clear()
            self._pages.clear()
            self._bytes = 0

    def _sorted(self, table: str) -> list[Fields]:
        rows: list[Fields] = list(getattr(self.portal, table).values())
        order = self.portal.knobs.order
        if order.startswith("updated_at"):
            rows.sort(key=lambda row: (row.get("updated_at") or row.get("created_at") or "", row["id"]))
        else:
            rows.sort(key=lambda row: row["id"])
        if order.endswith("_desc"):
            rows.reverse()
        return rows

    def _grouped(self, table: str, column: str) -> dict[Any, list[Fields]]:
        groups: dict[Any, list[Fields]] = defaultdict(list)
        for row in self.rows(table):
            groups[row[column]].append(row)
        return dict(groups)


def cut(portal: Portal, listing: Listing, page: int, size: int) -> Page:
    """One page of a listing with the three paging headers, all of them strings (API documents, data pagination)."""
    start = (page - 1) * size
    rows = [dict(row) if listing.view is None else listing.view(row) for row in listing.rows[start : start + size]]
    more = start + size < len(listing.rows)
    headers = [
        ("LU-Current-Page", str(page)),
        ("LU-Records-Per-Page", str(size)),
        ("LU-Has-Next-Page", portal.knobs.true_word if more else portal.knobs.false_word),
    ]
    return Page(encode({**listing.head, listing.key: rows}), headers)
