"""Contacts and Users by record id or e-mail: whether they exist, were merged or deleted, and their profile fields."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal

import pandas as pd
import pyarrow as pa

from etl import frames
from etl.ids import to_18
from etl.salesforce.org import Org
from etl.salesforce.query import from_start, rows_of
from etl.salesforce.snapshot import columns_of
from etl.salesforce.typed import Column, schema
from etl.schema import CONTACT, MEMBERSHIP, USER, Entity

Person = Literal["Contact", "User"]
_PREFIX = {"Contact": "003", "User": "005"}
"""Key prefixes of record ids, the same in every org (Salesforce, "standard field record ID prefix decoder")."""


def find_people(org: Org, person: Person, ids: Sequence[str]) -> pd.DataFrame:
    """Return the people of these record ids that exist or were deleted: `frames.PERSON` and the profile fields.

    Merged and deleted Contacts are among them (`IsDeleted`, `MasterRecordId`); masters are not added. Users cannot be
    deleted in Salesforce. Ids that are none, or of another object, find nobody.
    """
    wanted = to_18(pd.Series(list(ids), dtype="string")).dropna().drop_duplicates()
    wanted = wanted[wanted.str.startswith(_PREFIX[person])]
    entity = CONTACT if person == "Contact" else USER
    profile = [column for column in columns_of(org, entity) if column.name != "Id"]
    columns = [*_identity(person), *profile]
    deleted = person == "Contact"
    table = from_start(
        lambda: _together(rows_of(org, person, columns, "Id", list(wanted), deleted_too=deleted), columns)
    )
    if person == "User":
        table = _with_user_facts(table)
    return frames.to_pandas(table.select([*frames.PERSON.names, *(column.name for column in profile)]))


def _identity(person: Person) -> list[Column]:
    known = frames.PERSON.names if person == "Contact" else ["Id"]
    return [Column(name, name, frames.PERSON.field(name).type) for name in known]


def _with_user_facts(table: pa.Table) -> pa.Table:
    """Add what a User cannot be: deleted or merged."""
    kept = pa.array([False] * table.num_rows, pa.bool_())
    return table.append_column("IsDeleted", kept).append_column("MasterRecordId", pa.nulls(table.num_rows, pa.string()))


def find_by_email(org: Org, person: Person, emails: Sequence[str]) -> pd.DataFrame:
    """Return Id and Email of everybody (not deleted) with one of these e-mails; SOQL compares without case."""
    columns = [Column("Id", "Id", pa.string()), Column("Email", "Email", pa.string())]
    wanted = sorted({email for email in emails if email})
    return frames.to_pandas(from_start(lambda: _together(rows_of(org, person, columns, "Email", wanted), columns)))


def referred_to(org: Org, entity: Entity, ids: Sequence[str]) -> set[str]:
    """Return which of these people (record ids of 18 characters) any membership refers to, of whatever portal."""
    return set(references(org, entity, ids))


def references(org: Org, entity: Entity, ids: Sequence[str]) -> pd.Series:
    """Return these people as memberships of whatever portal refer to them: once for each membership that does."""
    field = org.name(f"{entity.name}__c")
    columns = [Column("person", field, pa.string())]
    source = org.name(MEMBERSHIP.name)
    table = from_start(lambda: _together(rows_of(org, source, columns, field, ids), columns))
    return to_18(frames.to_pandas(table)["person"]).dropna()


def _together(tables: Iterable[pa.Table], columns: Sequence[Column]) -> pa.Table:
    return pa.concat_tables([schema(columns).empty_table(), *tables])
