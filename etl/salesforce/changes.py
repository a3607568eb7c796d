"""What changed in Salesforce since an earlier read, and what its rows come to now; it keeps and merges nothing.

`SystemModstamp` moves with every change of a record by people or by the platform, and is indexed (Object reference,
system fields). A query that includes deleted rows (REST guide, QueryAll; Bulk `queryAll`) shows those of the recycle
bin, whose SystemModstamp is the time of the delete (assumed, see `etl.stages.past`).
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from urllib.parse import quote_plus

import pyarrow as pa

from etl.errors import SchemaMismatch, Unavailable
from etl.mirroring import Sums, counted, summed
from etl.park import Park
from etl.salesforce import soql
from etl.salesforce.answers import Rejected
from etl.salesforce.counting import Counting
from etl.salesforce.org import Org
from etl.salesforce.query import COUNTING, bulk_rows, count_rows, from_start, rest_rows
from etl.salesforce.snapshot import columns_of, ours
from etl.salesforce.typed import Column
from etl.schema import Entity

_log = logging.getLogger(__name__)

OVERLAP = timedelta(minutes=30)
"""How much before the earlier read changes are asked for again.

A record gets its SystemModstamp when it is saved and is seen when its transaction ends, at most 10 minutes later (Apex
limits, maximum execution time of a transaction); three times that leaves room for servers whose clocks differ.
"""
FEW = 2_000
"""Rows up to which REST is asked, for one page: fewer requests than a query job, and no waiting."""
_DELETED = Column("IsDeleted", "IsDeleted", pa.bool_())
_BY = Column("LastModifiedById", "LastModifiedById", pa.string())


class Unproven(Exception):
    """What is kept cannot be brought up to date, or not be proved to be: the text says why; a full read it must be."""


def columns_changed(org: Org, entity: Entity) -> list[Column]:
    """Return the columns of changed rows: those of a full read, whether the row is deleted, and who changed a Contact.

    Users have no IsDeleted, since nobody deletes them (Object reference, User).
    """
    more = {"User": [], "Contact": [_DELETED, _BY]}.get(entity.name, [_DELETED])
    return [*columns_of(org, entity), *more]


def read_changed(
    org: Org, entity: Entity, portal_ids: Sequence[int], since: datetime, park: Park, *, most: int, few: int = FEW
) -> int:
    """Park the rows of an object that changed since a moment of the server's clock, deleted ones too; return how many.

    Of people those are read who carry a LearnUpon id, and those this user changed last: whom a run cleared. Raises
    Unproven when more than `most` changed, or when not all of them came. Up to `few` rows are asked for by REST.
    """
    scope = ours(org, entity, portal_ids)
    if entity.row == "profile":
        scope = soql.either([scope, soql.is_in("LastModifiedById", [org.user_id])])
    condition = soql.both(scope, soql.since("SystemModstamp", since))
    return _read(org, org.name(entity.name), columns_changed(org, entity), condition, park, most, few)


def read_gone(org: Org, since: datetime, park: Park, *, most: int) -> int:
    """Park the ids of all Contacts deleted since, by merges too, whether or not they carried a LearnUpon id."""
    condition = soql.both(soql.is_true("IsDeleted"), soql.since("SystemModstamp", since))
    return _read(org, "Contact", [Column("Id", "Id", pa.string())], condition, park, most, FEW)


def _read(org: Org, source: str, columns: Sequence[Column], condition: str, park: Park, most: int, few: int) -> int:
    try:
        counting = Counting(org, source, condition, edited=True, deleted_too=True)
        if counting.rows > most:
            raise Unproven(f"{counting.rows:,} rows have changed, more than {most:,}")
        if counting.rows:
            query = soql.select([column.header for column in columns], source, condition)
            by_rest = counting.rows <= few and len(quote_plus(query)) <= soql.LONGEST_IN_URL
            read = rest_rows if by_rest else bulk_rows
            from_start(lambda: _fill(park, read(org, query, columns, deleted_too=True)))
    except (Rejected, SchemaMismatch) as error:
        raise Unproven(f"Salesforce does not say what has changed ({error})") from error
    try:
        counting.check(park.rows)
    except Unavailable as error:
        _log.warning("%s", error)
        raise Unproven(f"{counting.rows:,} rows have changed, and {park.rows:,} of them came") from error
    return park.rows


def _fill(park: Park, tables: pa.Table | Iterator[pa.Table]) -> None:
    park.clear()
    for table in [tables] if isinstance(tables, pa.Table) else tables:
        park.append(table)


def read_sums(org: Org, entity: Entity, portal_ids: Sequence[int]) -> Sums:
    """Return what the rows of an object come to by Salesforce's own reckoning: one request.

    Where REST refuses it, or takes longer than it may, the rows are only counted (`totals` is None).
    """
    numbers, marks = summed(entity), counted(entity)
    source, condition = org.name(entity.name), ours(org, entity, portal_ids)
    query = soql.totals([org.name(one) for one in numbers], [org.name(one) for one in marks], source, condition)
    if len(quote_plus(query)) <= soql.LONGEST_IN_URL:
        try:
            answer = org.json("GET", org.path("query"), params={"q": query}, patience=COUNTING)
            return _sums(answer, numbers, marks)
        except Unavailable as error:
            _log.warning("%s could not be summed by REST, so its rows are counted: %s", source, error)
    return Sums(count_rows(org, source, condition), totals=None)


def _sums(answer: object, numbers: Sequence[str], marks: Sequence[str]) -> Sums:
    try:
        (row,) = answer["records"]  # type: ignore[index]
        totals = {name: float(row[f"s{place}"] or 0) for place, name in enumerate(numbers)}
        totals |= {name: float(row[f"c{place}"]) for place, name in enumerate(marks)}
        return Sums(int(row["n"]), str(row["low"] or ""), str(row["high"] or ""), totals)
    except (KeyError, TypeError, ValueError) as error:
        raise Unavailable(f"a sum was answered in another form than documented ({type(error).__name__})") from error
