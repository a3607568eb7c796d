"""Writing one record after another: rules of the schema, unique keys, cascades, and the ledger; it reads no CSV."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from etl.emulator.salesforce import ids, values
from etl.emulator.salesforce.errors import RowError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from etl.emulator.salesforce.org import SalesforceOrg
    from etl.emulator.salesforce.schema import Field, ObjectType
    from etl.emulator.salesforce.table import Row, Table


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


def cell_reader(org: SalesforceOrg, field: Field) -> Callable[[str], Any]:
    """Reader of a field's cells, references included: those are checked against the records."""
    if field.type == "reference":
        return lambda text: _reference(org, field, text)
    if field.type == "id":
        return str.strip
    return values.reader(field)


def _reference(org: SalesforceOrg, field: Field, text: str) -> str:
    """An id of a live record of an allowed object (which code says what: assumed from the code's names)."""
    text = text.strip()
    found = ids.normal(text)
    if found is None:
        raise RowError("MALFORMED_ID", f"{field.label}: id value of incorrect type: {text}", field.name)
    known = [org.tables[target] for target in field.reference_to if target in org.tables]
    if all(found[:3] != table.kind.prefix for table in known):
        raise RowError("FIELD_INTEGRITY_EXCEPTION", f"{field.label}: id value of incorrect type: {text}", field.name)
    for table in known:
        if found in table.rows:
            return found
        if found in table.bin:
            raise RowError("ENTITY_IS_DELETED", "entity is deleted", field.name)
    raise RowError("INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id", field.name)


@dataclass
class Writer:
    """Writes records in the name of one source; `record=False` keeps them out of the ledger."""

    org: SalesforceOrg
    source: str
    job_id: str | None = None
    record: bool = True

    def create(self, table: Table, given: dict[str, Any]) -> str:
        """Make a record of stored values and return its id; RowError when a rule refuses it."""
        kind = table.kind
        if not kind.createable:
            raise RowError("INSUFFICIENT_ACCESS_OR_READONLY", f"entity type {kind.name} does not support create")
        self._check_writable(kind, given, "createable")
        missing = [one.name for one in kind.fields.values() if one.required and given.get(one.name) is None]
        if missing:
            raise RowError("REQUIRED_FIELD_MISSING", f"Required fields are missing: [{', '.join(missing)}]", *missing)
        self._check_unique(table, given, None)
        row = {name: value for name, value in given.items() if value is not None}
        self._refuse(kind, "create", row)
        row = self._completed(table, row)
        table.put(row)
        if self.record:
            self._note(kind, "create", row, {}, dict(given))
        return str(row["Id"])

    def update(self, table: Table, row: Row, given: dict[str, Any]) -> None:
        """Change a live record; RowError when a rule refuses it."""
        kind = table.kind
        if not kind.updateable:
            raise RowError("INSUFFICIENT_ACCESS_OR_READONLY", f"entity type {kind.name} does not support update")
        self._check_writable(kind, {name: v for name, v in given.items() if v != row.get(name)}, "updateable")
        cleared = [n for n, v in given.items() if v is None and n in kind.fields and kind.fields[n].required]
        if cleared:
            raise RowError("REQUIRED_FIELD_MISSING", f"Required fields are missing: [{', '.join(cleared)}]", *cleared)
        self._check_unique(table, given, row["Id"])
        if self.org.refuse:
            self._refuse(kind, "update", {**row, **given})
        before = {name: row.get(name) for name in given}
        table.change(row, {**given, **self._stamps()})
        self._name_person(table, row, given)
        if self.record:
            self._note(kind, "update", row, before, dict(given))

    def delete(self, table: Table, record_id: str) -> None:
        """Delete a live record softly, its details with it; RowError when a rule refuses it."""
        self.delete_many(table, [record_id])

    def check_delete(self, table: Table, record_id: str) -> None:
        """Raise RowError when this record cannot be deleted."""
        if not table.kind.deletable:
            message = f"entity type {table.kind.name} does not support delete"
            raise RowError("INSUFFICIENT_ACCESS_OR_READONLY", message)
        if record_id in table.bin:
            raise RowError("ENTITY_IS_DELETED", "entity is deleted")
        if record_id not in table.rows:
            raise RowError("INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id")
        self._refuse(table.kind, "delete", table.rows[record_id])

    def delete_many(self, table: Table, record_ids: Iterable[str]) -> None:
        """Delete live records that `check_delete` let pass; one look through the children for all of them."""
        gone = set(record_ids)
        children = [
            (child, field, [row for row in child.rows.values() if row.get(field.name) in gone])
            for child, field in self.org.referring(table.kind.name)
        ]
        if any(rows for _, field, rows in children if field.on_delete == "Restrict"):
            raise RowError("DELETE_FAILED", "Your attempt to delete could not be completed: other records refer to it")
        after = Writer(self.org, "cascade", self.job_id, self.record)
        for child, field, rows in children:
            if field.on_delete == "Cascade":
                after.delete_many(child, [row["Id"] for row in rows if row["Id"] in child.rows])
            else:
                after.clear_reference(child, field.name, rows)
        for record_id in gone:
            row = table.drop(record_id)
            row.update(self._stamps())
            if self.record:
                self._note(table.kind, "delete", row, {**row, "IsDeleted": False}, {})

    def clear_reference(self, table: Table, name: str, rows: list[Row], to: str | None = None) -> None:
        """Empty a look-up whose target went away (or point it to another record), past all rules."""
        for row in rows:
            before = {name: row.get(name)}
            table.change(row, {name: to, **self._stamps()})
            if self.record:
                self._note(table.kind, "update", row, before, {name: to})

    def _completed(self, table: Table, row: Row) -> Row:
        now = self.org.now()
        defaults = {one.name: one.default for one in table.kind.fields.values() if one.default is not None}
        made = {"Id": table.next_id(), **defaults, **self._stamps(), "CreatedDate": now, **row}
        made["CreatedById"] = made["LastModifiedById"]
        for one in table.kind.fields.values():
            if one.default == "me" and one.name not in row:
                made[one.name] = self.org.user_id
            elif one.default == "profile" and one.name not in row:
                made[one.name] = self.org.profile_id
            elif one.auto_number:
                made[one.name] = one.auto_number.format(table.made)
        if "LastName" in table.kind.fields:
            made["Name"] = _person_name(made)
        return made

    def _name_person(self, table: Table, row: Row, given: dict[str, Any]) -> None:
        if "FirstName" in given or "LastName" in given:
            table.change(row, {"Name": _person_name(row)})

    def _stamps(self) -> dict[str, Any]:
        now = self.org.now()
        return {"LastModifiedDate": now, "LastModifiedById": self.org.user_id, "SystemModstamp": now}

    def _check_writable(self, kind: ObjectType, given: dict[str, Any], right: str) -> None:
        read_only = self.org.read_only_fields
        closed = [
            name
            for name in given
            if name != "Id"
            and (not getattr(kind.fields[name], right) or (read_only and f"{kind.name}.{name}" in read_only))
        ]
        if closed:
            raise RowError(
                "INVALID_FIELD_FOR_INSERT_UPDATE",
                f"Unable to create/update fields: {', '.join(closed)}. Please check the security settings of this "
                "field and verify that it is read/write for your profile or permission set.",
                *closed,
            )

    def _check_unique(self, table: Table, given: dict[str, Any], own_id: str | None) -> None:
        for name, value in given.items():
            if value is None or not table.kind.fields[name].unique:
                continue
            others = [one for one in table.find(name, value) if one != own_id]
            if others:
                message = f"duplicate value found: {name} duplicates value on record with id: {others[0][:15]}"
                raise RowError("DUPLICATE_VALUE", message)

    def _refuse(self, kind: ObjectType, operation: str, row: Row) -> None:
        for one in self.org.refuse:
            one.check(kind.name, operation, row)

    def _note(self, kind: ObjectType, operation: str, row: Row, before: dict[str, Any], after: dict[str, Any]) -> None:
        self.org.ledger.add(
            source=self.source,
            job_id=self.job_id,
            object=kind.name,
            operation=operation,
            id=row["Id"],
            key=row.get("LU_Key__c"),
            before=before,
            after=after,
        )


def _person_name(row: Row) -> str:
    return " ".join(part for part in (row.get("FirstName"), row.get("LastName")) if part)
