"""The records of one object with their indexes and recycle bin; it checks no rules."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from etl.emulator.salesforce import ids

if TYPE_CHECKING:
    from collections.abc import Iterator

    from etl.emulator.salesforce.schema import ObjectType

Row = dict[str, Any]


class Table:
    """Live records (`rows`) and deleted ones (`bin`) by 18-character id; a field that is null is left out."""

    def __init__(self, kind: ObjectType) -> None:
        """Start empty."""
        self.kind = kind
        self.rows: dict[str, Row] = {}
        self.bin: dict[str, Row] = {}
        self.made = 0
        self._indexes: dict[str, dict[Any, list[str]]] = {}

    def next_id(self) -> str:
        """A fresh id; ids are never used again."""
        self.made += 1
        return ids.make(self.kind.prefix, self.made)

    def id_of(self, text: str) -> str | None:
        """The 18 characters of an id that is live or deleted here, None when it is neither."""
        if text in self.rows:
            return text
        found = ids.normal(text)
        return found if found is not None and (found in self.rows or found in self.bin) else None

    def find(self, name: str, value: Any) -> list[str]:
        """Ids of live records with this value in the field, by an index that is made at the first question."""
        index = self._indexes.get(name)
        if index is None:
            index = self._indexes[name] = {}
            for row in self.rows.values():
                self._note(index, name, row)
        return index.get(self.folded(name, value), [])

    def folded(self, name: str, value: Any) -> Any:
        """The value as it is compared: text without regard to case unless the field says otherwise."""
        if not isinstance(value, str):
            return value
        field = self.kind.fields.get(name)
        return value if field is not None and field.case_sensitive else value.lower()

    def put(self, row: Row) -> None:
        """Add a live record."""
        self.rows[row["Id"]] = row
        for name, index in self._indexes.items():
            self._note(index, name, row)

    def change(self, row: Row, changes: dict[str, Any]) -> None:
        """Set fields of a live record; None clears."""
        touched = [(name, index) for name, index in self._indexes.items() if name in changes]
        for name, index in touched:
            self._forget(index, name, row)
        for name, value in changes.items():
            if value is None:
                row.pop(name, None)
            else:
                row[name] = value
        for name, index in touched:
            self._note(index, name, row)

    def drop(self, record_id: str) -> Row:
        """Move a live record to the recycle bin and return it."""
        row = self.rows.pop(record_id)
        for name, index in self._indexes.items():
            self._forget(index, name, row)
        row["IsDeleted"] = True
        self.bin[record_id] = row
        return row

    def erase(self, record_id: str) -> None:
        """Make a live record never have been."""
        self.drop(record_id)
        del self.bin[record_id]

    def restore(self, record_id: str) -> Row:
        """Take a record out of the recycle bin and return it."""
        row = self.bin.pop(record_id)
        row["IsDeleted"] = False
        row.pop("MasterRecordId", None)
        self.put(row)
        return row

    def everything(self, *, deleted: bool) -> Iterator[Row]:
        """Live records, and the deleted ones when asked for."""
        yield from self.rows.values()
        if deleted:
            yield from self.bin.values()

    def _note(self, index: dict[Any, list[str]], name: str, row: Row) -> None:
        value = row.get(name)
        if value is not None:
            index.setdefault(self.folded(name, value), []).append(row["Id"])

    def _forget(self, index: dict[Any, list[str]], name: str, row: Row) -> None:
        value = row.get(name)
        if value is None:
            return
        key = self.folded(name, value)
        left = [one for one in index.get(key, []) if one != row["Id"]]
        if left:
            index[key] = left
        else:
            index.pop(key, None)
