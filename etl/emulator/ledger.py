"""The oracle of the tests: an append-only list of every effect on Salesforce records; it judges nothing."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable


class Entry(NamedTuple):
    """One effect on one record.

    `at` is seconds since 1970 UTC; `before` is empty for a create, `after` for a delete. Both hold only the
    fields that were sent, except that a delete keeps the whole record in `before`. `key` is the value of the
    record's external id `LU_Key__c`, None without one. An update that changes no value is an entry too:
    Salesforce would move SystemModstamp.
    """

    seq: int
    at: float
    source: str
    job_id: str | None
    object: str
    operation: str
    id: str
    key: str | None
    before: dict[str, Any]
    after: dict[str, Any]

    def as_json(self) -> dict[str, Any]:
        """The entry as a JSON object."""
        return self._asdict()


class Ledger:
    """All entries since the start or the last `clear`; thread safe."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        """Start empty; `clock` gives seconds since 1970."""
        self._clock = clock
        self._entries: list[Entry] = []
        self._lock = threading.Lock()
        self._seq = 0
        self.settle: Callable[[], object] = lambda: None

    @property
    def entries(self) -> list[Entry]:
        """A copy of all entries, oldest first; `settle` first finishes what is due by the clock."""
        self.settle()
        with self._lock:
            return list(self._entries)

    def add(
        self,
        *,
        source: str,
        object: str,  # noqa: A002 - Salesforce's own word
        operation: str,
        id: str,  # noqa: A002 - Salesforce's own word
        key: str | None = None,
        job_id: str | None = None,
        before: dict[str, Any] | None = None,
        after: dict[str, Any] | None = None,
    ) -> Entry:
        """Append one effect and return it with its number (from 1, never reused)."""
        at = self._clock()
        with self._lock:
            self._seq += 1
            entry = Entry(self._seq, at, source, job_id, object, operation, id, key, before or {}, after or {})
            self._entries.append(entry)
        return entry

    def since(self, seq: int) -> list[Entry]:
        """Entries numbered above `seq`."""
        return [entry for entry in self.entries if entry.seq > seq]

    def clear(self) -> None:
        """Forget all entries; numbering goes on."""
        with self._lock:
            self._entries = []
