"""Writing one record after another: rules of the schema, unique keys, cascades, and the ledger; it reads no CSV."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from etl.emulator.salesforce.errors import RowError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from etl.emulator.salesforce.org import SalesforceOrg
    from etl.emulator.salesforce.schema import ObjectType
    from etl.emulator.salesforce.table import Row, Table


class _Rules:
    """What an object declares, looked up once for all records of a writer: tests change it between two writers."""

    def __init__(self, kind: ObjectType, read_only: set[str]) -> None:
        fields = kind.fields.values()
        self.required = [one.name for one in fields if one.required]
        self.unique = [one.name for one in fields if one.unique]
        self.numbered = [(one.name, one.auto_number) for one in fields if one.auto_number]
        self.defaults = [(one.name, one.default) for one in fields if not one.auto_number and one.default is not None]
        self.is_person = "LastName" in kind.fields
        usable = [one for one in fields if f"{kind.name}.{one.name}" not in read_only]
        self.open = {
            "createable": {one.name for one in usable if one.createable} | {"Id"},
            "updateable": {one.name for one in usable if one.updateable} | {"Id"},
        }


@dataclass
class Writer:
    """Writes records in the name of one source; `record=False` keeps them out of the ledger.

    With `hold` effects wait for `commit`, or are taken back by `roll_back`. `by` is the user who writes: nobody named
    is the integration user. Who deletes a record has modified it last, at the moment of the delete (assumed: the
    guides say of SystemModstamp that every change moves it, and the recycle bin names who deleted). What goes with
    it, details deleted and look-ups emptied, keeps its SystemModstamp (`stamps=False`; assumed: no guide promises
    that it moves, and a client must not rely on it).
    """

    org: SalesforceOrg
    source: str
    job_id: str | None = None
    record: bool = True
    hold: bool = False
    notes: list[dict[str, Any]] = field(default_factory=list)
    undo: list[Callable[[], object]] = field(default_factory=list)
    by: str = ""
    stamps: bool = True
    known: dict[str, _Rules] = field(default_factory=dict, init=False, repr=False)

    def commit(self) -> None:
        """Put what was held into the ledger."""
        for note in self.notes:
            self.org.ledger.add(**note)
        self.notes.clear()
        self.undo.clear()

    def roll_back(self) -> None:
        """Take back everything since the last commit, newest first."""
        for step in reversed(self.undo):
            step()
        self.notes.clear()
        self.undo.clear()

    def create(self, table: Table, given: dict[str, Any]) -> str:
        """Make a record of stored values and return its id; RowError when a rule refuses it."""
        kind = table.kind
        if not kind.createable:
            raise RowError("INSUFFICIENT_ACCESS_OR_READONLY", f"entity type {kind.name} does not support create")
        self._check_writable(kind, given, "createable")
        missing = [name for name in self._rules(kind).required if given.get(name) is None]
        if missing:
            raise RowError("REQUIRED_FIELD_MISSING", f"Required fields are missing: [{', '.join(missing)}]", *missing)
        self.check_unique(table, given, None)
        row = {name: value for name, value in given.items() if value is not None}
        self._refuse(kind, "create", row)
        row = self._completed(table, row)
        table.put(row)
        if self.hold:
            self.undo.append(lambda: table.erase(row["Id"]))
        if self.record:
            self._note(kind, "create", row, {}, dict(given))
        return str(row["Id"])

    def update(self, table: Table, row: Row, given: dict[str, Any], key: str = "") -> None:
        """Change a live record; RowError when a rule refuses it.

        A field that cannot be updated is refused whatever its value ("updateable": REST guide, "sObject Describe").
        In an upsert, where `key` found the record, the key is no update, nor is what only a create may set and is
        the same (assumed: details could never be upserted otherwise).
        """
        kind = table.kind
        if not kind.updateable:
            raise RowError("INSUFFICIENT_ACCESS_OR_READONLY", f"entity type {kind.name} does not support update")
        sent = given.keys() - {key}
        if key:
            sent -= {name for name in self._rules(kind).open["createable"] & sent if given[name] == row.get(name)}
        self._check_writable(kind, sent, "updateable")
        cleared = [n for n, v in given.items() if v is None and n in kind.fields and kind.fields[n].required]
        if cleared:
            raise RowError("REQUIRED_FIELD_MISSING", f"Required fields are missing: [{', '.join(cleared)}]", *cleared)
        self.check_unique(table, given, row["Id"])
        if self.org.refuse:
            self._refuse(kind, "update", {**row, **given})
        before = {name: row.get(name) for name in given}
        stamps = self.stamped()
        self._save(table, row, [*given, *stamps, "Name"])
        table.change(row, {**given, **stamps})
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
        for record_id in gone:
            self.org.ties.begin(record_id)
        children = [
            (child, by, [row for row in child.rows.values() if row.get(by.name) in gone])
            for child, by in self.org.referring(table.kind.name)
        ]
        if any(rows for _, by, rows in children if by.on_delete == "Restrict"):
            raise RowError("DELETE_FAILED", "Your attempt to delete could not be completed: other records refer to it")
        after = Writer(
            self.org, "cascade", self.job_id, self.record, self.hold, self.notes, self.undo, self.by, stamps=False
        )
        for child, by, rows in children:
            if by.on_delete == "Cascade":
                self.org.ties.take(child, by.name, rows)
                after.delete_many(child, [row["Id"] for row in rows if row["Id"] in child.rows])
            else:
                self.org.ties.cut(child, by.name, rows)
                after.clear_reference(child, by.name, rows)
        for record_id in gone:
            self._save(table, table.rows[record_id], list(self.stamped()))
            row = table.drop(record_id)
            if self.hold:
                self.undo.append(partial(table.restore, record_id))
            row.update(self.stamped() if self.stamps else {})
            if self.record:
                self._note(table.kind, "delete", row, {**row, "IsDeleted": False}, {})

    def clear_reference(self, table: Table, name: str, rows: list[Row], to: str | None = None) -> None:
        """Empty a look-up whose target went away (or point it to another record), past all rules and without stamps."""
        for row in rows:
            before = {name: row.get(name)}
            self._save(table, row, [name])
            table.change(row, {name: to})
            if self.record:
                self._note(table.kind, "update", row, before, {name: to})

    def _save(self, table: Table, row: Row, names: list[str]) -> None:
        """Remember how to take a change back."""
        if self.hold:
            before = {name: row.get(name) for name in names if name in table.kind.fields}
            self.undo.append(lambda: table.change(row, before))

    def _completed(self, table: Table, row: Row) -> Row:
        made: Row = {"Id": table.next_id(), **self.stamped(), "CreatedDate": self.org.now()}
        made["CreatedById"] = made["LastModifiedById"]
        made |= row
        rules = self._rules(table.kind)
        for name, form in rules.numbered:
            made[name] = form.format(table.made)
        special = {"me": self.org.user_id, "profile": self.org.profile_id}
        for name, default in rules.defaults:
            if name not in made:
                made[name] = special.get(default, default) if isinstance(default, str) else default
        if rules.is_person:
            made["Name"] = _person_name(made)
        return made

    def _name_person(self, table: Table, row: Row, given: dict[str, Any]) -> None:
        if "FirstName" in given or "LastName" in given:
            table.change(row, {"Name": _person_name(row)})

    def stamped(self) -> dict[str, Any]:
        """What every change sets."""
        now = self.org.now()
        return {"LastModifiedDate": now, "LastModifiedById": self.by or self.org.user_id, "SystemModstamp": now}

    def _rules(self, kind: ObjectType) -> _Rules:
        found = self.known.get(kind.name)
        if found is None:
            found = self.known[kind.name] = _Rules(kind, self.org.read_only_fields)
        return found

    def _check_writable(self, kind: ObjectType, given: Iterable[str], right: str) -> None:
        allowed = self._rules(kind).open[right]
        closed = sorted(set(given) - allowed)
        if closed:
            raise RowError(
                "INVALID_FIELD_FOR_INSERT_UPDATE",
                f"Unable to create/update fields: {', '.join(closed)}. Please check the security settings of this "
                "field and verify that it is read/write for your profile or permission set.",
                *closed,
            )

    def check_unique(self, table: Table, given: dict[str, Any], own_id: str | None) -> None:
        """Raise RowError when another live record has a value that must be unique."""
        for name in self._rules(table.kind).unique:
            value = given.get(name)
            if value is None:
                continue
            others = [one for one in table.find(name, value) if one != own_id]
            if others:
                message = f"duplicate value found: {name} duplicates value on record with id: {others[0][:15]}"
                raise RowError("DUPLICATE_VALUE", message)

    def _refuse(self, kind: ObjectType, operation: str, row: Row) -> None:
        for one in self.org.refuse:
            one.check(kind.name, operation, row)

    def _note(self, kind: ObjectType, operation: str, row: Row, before: dict[str, Any], after: dict[str, Any]) -> None:
        add = self._hold_note if self.hold else self.org.ledger.add
        add(
            source=self.source,
            job_id=self.job_id,
            object=kind.name,
            operation=operation,
            id=row["Id"],
            key=row.get("LU_Key__c"),
            before=before,
            after=after,
        )

    def _hold_note(self, **note: Any) -> None:
        self.notes.append(note)


def _person_name(row: Row) -> str:
    return " ".join(part for part in (row.get("FirstName"), row.get("LastName")) if part)
