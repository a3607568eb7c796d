"""What a delete took from other records, so that an undelete gives it back; it deletes nothing.

An undelete brings the details back and restores custom look-ups that were not replaced meanwhile (Apex guide,
"Restoring Deleted Records"). Neither moves the SystemModstamp of those other records (assumed: no guide promises it).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from etl.emulator.salesforce.table import Row, Table


class Ties:
    """By deleted record: the look-ups it was taken out of, and the details that went with it."""

    def __init__(self) -> None:
        """Remember nothing yet."""
        self._lookups: dict[str, list[tuple[Table, str, str]]] = {}
        self._details: dict[str, list[tuple[Table, str]]] = {}

    def begin(self, record_id: str) -> None:
        """Forget what an earlier delete of this record took."""
        self._lookups[record_id], self._details[record_id] = [], []

    def cut(self, table: Table, field: str, rows: Iterable[Row]) -> None:
        """Note look-ups that are about to be emptied."""
        for row in rows:
            self._lookups[row[field]].append((table, field, row["Id"]))

    def take(self, table: Table, field: str, rows: Iterable[Row]) -> None:
        """Note details that are about to be deleted."""
        for row in rows:
            self._details[row[field]].append((table, row["Id"]))

    def give_back(self, record_id: str) -> None:
        """Bring the details back, and fill the look-ups that are still empty."""
        for table, detail in self._details.pop(record_id, []):
            if detail in table.bin:
                table.restore(detail)
                self.give_back(detail)
        for table, field, child in self._lookups.pop(record_id, []):
            row = table.rows.get(child)
            if row is not None and row.get(field) is None:
                table.change(row, {field: record_id})

    def forget(self, record_id: str) -> None:
        """A record that is purged comes back no more."""
        self._lookups.pop(record_id, None)
        self._details.pop(record_id, None)
