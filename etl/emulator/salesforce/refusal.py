"""Rules that refuse records, as a test sets them: locks, validation rules, triggers, full storage."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from etl.emulator.salesforce.errors import RowError

if TYPE_CHECKING:
    from etl.emulator.salesforce.table import Row


@dataclass
class Refusal:
    """A rule that refuses records: of `object`, where every field of `match` has that value (after the write).

    `error` is ``CODE:message`` (or the code alone); `times` is how often each record is refused before it
    passes (None = always). It stands for locks, validation rules, triggers and full storage.
    """

    object: str
    match: dict[str, Any]
    error: str
    times: int | None = None
    operations: tuple[str, ...] = ("create", "update", "delete")

    def __post_init__(self) -> None:
        """Start with no record refused yet."""
        self._hits: dict[str, int] = {}

    def check(self, name: str, operation: str, row: Row) -> None:
        """Raise RowError when the rule refuses this record now."""
        if name != self.object or operation not in self.operations:
            return
        if any(row.get(field) != value for field, value in self.match.items()):
            return
        who = str(row.get("LU_Key__c") or row.get("Id") or sorted(row.items()))
        seen = self._hits.get(who, 0)
        if self.times is not None and seen >= self.times:
            return
        self._hits[who] = seen + 1
        code, _, message = self.error.partition(":")
        raise RowError(code, message or _MESSAGES.get(code, "refused"))


_MESSAGES = {
    "UNABLE_TO_LOCK_ROW": "unable to obtain exclusive access to this record",
    "STORAGE_LIMIT_EXCEEDED": "storage limit exceeded",
}
