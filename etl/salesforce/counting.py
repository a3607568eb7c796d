"""Sees that a read was complete: what came is held against Salesforce's own count of the same rows; it reads no rows.

A query job can end in success with rows missing, or with none (seen by others with hundreds of thousands of rows). So
the rows are counted before the read, and, unless as many came, after it: what came must lie between the two counts,
give or take the rows that were made or deleted meanwhile.
"""

from __future__ import annotations

import logging
from datetime import timedelta

from etl.errors import Unavailable
from etl.salesforce import soql
from etl.salesforce.org import Org
from etl.salesforce.query import count_rows

_log = logging.getLogger(__name__)

_AFTER = timedelta(seconds=1)
"""The server's Date has no fractions: what changed in the second of the first count is not taken to be meanwhile."""


class Counting:
    """One read of the rows of an object (API name) under a condition, counted when this is made."""

    def __init__(self, org: Org, source: str, where: str, *, edited: bool = False, deleted_too: bool = False) -> None:
        """Count the rows; `edited` says that an edit too can bring a row under the condition, or out of it.

        With `deleted_too` those in the recycle bin count among them.
        """
        self._org = org
        self._source = source
        self._where = where
        self._edited = edited
        self._deleted_too = deleted_too
        self._before = count_rows(org, source, where, deleted_too=deleted_too)
        self._since = (org.server_time() or org.clock.now()) + _AFTER

    @property
    def rows(self) -> int:
        """Return how many rows were counted when this was made."""
        return self._before

    def check(self, rows: int) -> None:
        """Raise Unavailable unless so many rows are all there were; one request more only when the number differs."""
        if rows == self._before:
            return
        after = count_rows(self._org, self._source, self._where, deleted_too=self._deleted_too)
        least, most = sorted((self._before, after))
        meanwhile = 0
        if not least <= rows <= most:
            meanwhile = self._changed()
        if least - meanwhile <= rows <= most + meanwhile:
            _log.info("%s: %d rows read, %d counted before and %d after", self._source, rows, self._before, after)
            return
        raise Unavailable(
            f"{self._source}: {rows:,} rows were read, and Salesforce counted {self._before:,} before and {after:,} "
            f"after, with {meanwhile:,} changed meanwhile: the read is not complete; nothing was written; run again "
            "later, and see that the user may read all rows of this object"
        )

    def _changed(self) -> int:
        """Return how many rows were made or deleted since the first count (with `edited`: or changed)."""
        touched = soql.since("SystemModstamp", self._since)
        if self._edited:
            return count_rows(self._org, self._source, touched, deleted_too=True)
        new_or_gone = soql.either([soql.since("CreatedDate", self._since), soql.is_true("IsDeleted")])
        return count_rows(self._org, self._source, soql.both(self._where, touched, new_or_gone), deleted_too=True)
