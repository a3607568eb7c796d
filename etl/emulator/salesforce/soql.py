"""Running a query: from text to columns and rows of stored values; it knows no JSON and no CSV."""

from __future__ import annotations

import operator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from etl.emulator.salesforce import soql_where
from etl.emulator.salesforce.errors import ApiError
from etl.emulator.salesforce.soql_names import Names, Path
from etl.emulator.salesforce.soql_parse import malformed, parse
from etl.emulator.salesforce.soql_tree import Item, Order, Select

if TYPE_CHECKING:
    from collections.abc import Iterable

    from etl.emulator.salesforce.org import SalesforceOrg
    from etl.emulator.salesforce.table import Row

FARTHEST_OFFSET = 2_000


@dataclass
class Column:
    """A column of the result; an aggregate has no path of its own, only a type."""

    name: str
    type: str
    path: Path | None = None
    item: Item | None = None


@dataclass
class Result:
    """What a query found: `rows` are records, or for aggregates dicts by column name; `count` is set for COUNT()."""

    object: str
    columns: list[Column]
    rows: list[Row]
    aggregate: bool = False
    count: int | None = None


def run(org: SalesforceOrg, text: str, *, deleted: bool = False, bulk: bool = False) -> Result:
    """Run a query; `deleted` looks into the recycle bin too. ApiError as Salesforce words it."""
    query = parse(text)
    if bulk:
        _check_bulk(query)
    return _Run(org, query, deleted=deleted).result()


def check(org: SalesforceOrg, text: str) -> str:
    """Check a Bulk query without running it, and return its object's name."""
    query = parse(text)
    _check_bulk(query)
    run_ = _Run(org, query, deleted=False)
    run_.columns()
    run_.prepare()
    return run_.names.table.kind.name


def _check_bulk(query: Select) -> None:
    """Bulk API 2.0 guide, "Query jobs": no GROUP BY, OFFSET, TYPEOF, aggregates, FIELDS() (the code is assumed)."""
    refused = [item.function for item in query.items if item.function]
    if query.group:
        refused.append("GROUP BY")
    if query.offset:
        refused.append("OFFSET")
    if refused:
        raise ApiError(400, "FUNCTIONALITY_NOT_ENABLED", f"{refused[0]} is not supported in Bulk Query")


class _Run:
    def __init__(self, org: SalesforceOrg, query: Select, *, deleted: bool) -> None:
        self.org = org
        self.query = query
        self.deleted = deleted
        self.names = Names(org, query)

    def result(self) -> Result:
        columns = self.columns()
        kind = self.names.table.kind.name
        tested = self.prepare()
        found = self._looked_at()
        rows = list(found) if tested is None else [row for row in found if tested(row)]
        items = self.query.items
        if len(items) == 1 and items[0].function == "COUNT" and not items[0].path:
            return Result(kind, [], [], count=len(rows))
        aggregate = bool(self.query.group) or any(item.function for item in items if item.function != "FIELDS")
        if aggregate:
            rows = self._grouped(columns, rows)
        return Result(kind, columns, self._cut(self._ordered(rows, aggregate=aggregate)), aggregate)

    def _looked_at(self) -> Iterable[Row]:
        """The records that may match: all, unless an index says where to look."""
        if self.query.where is not None and not self.deleted:
            found = soql_where.indexed(self.names, self.query.where)
            if found is not None:
                return found
        return self.names.table.everything(deleted=self.deleted)

    def prepare(self) -> Any:
        """The condition as a function, None without one; names in ORDER BY are looked up as well."""
        for order in self.query.order:
            if not order.item.function:
                self.names.path(order.item.path)
        if self.query.where is None:
            return None
        return soql_where.test(self.names, self.query.where, self._semi_join)

    def _semi_join(self, query: Select) -> set[Any]:
        inner = _Run(self.org, query, deleted=self.deleted).result()
        path = inner.columns[0].path
        if len(inner.columns) != 1 or path is None:
            raise malformed("a semi join selects exactly one field")
        return {value for row in inner.rows if (value := path.get(row)) is not None}

    def columns(self) -> list[Column]:
        made: list[Column] = []
        for item in self.query.items:
            if item.function == "FIELDS":
                made.extend(self._all_fields(item))
            elif item.function:
                made.append(self._aggregate(item, sum(1 for one in made if one.name.startswith("expr"))))
            else:
                path = self.names.path(item.path)
                made.append(Column(item.alias or path.name, path.field.type, path, item))
        seen = [one.name for one in made]
        twice = next((name for name in seen if seen.count(name) > 1), None)
        if twice is not None:
            raise malformed(f"duplicate field selected: {twice}")
        grouped = {self.names.path(name).name for name in self.query.group}
        for one in made:
            if one.path is not None and grouped and one.path.name not in grouped:
                raise malformed(f"Field must be grouped or aggregated: {one.name}")
        return made

    def _all_fields(self, item: Item) -> list[Column]:
        """FIELDS(ALL|STANDARD|CUSTOM); ALL and CUSTOM need a LIMIT of at most 200."""
        if item.path != "STANDARD" and (self.query.limit is None or self.query.limit > 200):
            raise malformed("The SOQL FIELDS function must have a LIMIT of at most 200")
        wanted = {"ALL": (True, False), "STANDARD": (False,), "CUSTOM": (True,)}.get(item.path)
        if wanted is None:
            raise malformed(f"unexpected token: '{item.path}'")
        fields = [one for one in self.names.table.kind.fields.values() if one.custom in wanted]
        return [Column(one.name, one.type, self.names.path(one.name)) for one in fields]

    def _aggregate(self, item: Item, unnamed: int) -> Column:
        """A column of an aggregate; a checkbox has none (SOQL guide, "Support for Field Types in Aggregate Functions").

        The words of that refusal are assumed.
        """
        if not item.path:
            if len(self.query.items) == 1:
                return Column("", "int", None, item)
            raise malformed("COUNT() must be the only element of the SELECT list")
        path = self.names.path(item.path)
        if path.field.type == "boolean":
            raise malformed(f"field {path.name} does not support aggregate operator {item.function}")
        kind = "int" if item.function.startswith("COUNT") else path.field.type
        return Column(item.alias or f"expr{unnamed}", kind, None, item)

    def _grouped(self, columns: list[Column], rows: list[Row]) -> list[Row]:
        keys = [self.names.path(name) for name in self.query.group]
        groups: dict[tuple[Any, ...], list[Row]] = {} if keys else {(): []}
        for row in rows:
            groups.setdefault(tuple(path.get(row) for path in keys), []).append(row)
        return [{one.name: self._cell(one, members) for one in columns} for members in groups.values()]

    def _cell(self, column: Column, members: list[Row]) -> Any:
        if column.path is not None:
            return column.path.get(members[0])
        if column.item is None:
            return None
        get = self.names.path(column.item.path).get
        found = [value for row in members if (value := get(row)) is not None]
        match column.item.function:
            case "COUNT":
                return len(found)
            case "COUNT_DISTINCT":
                return len(set(found))
        return _reduced(column.item.function, found) if found else None

    def _ordered(self, rows: list[Row], *, aggregate: bool) -> list[Row]:
        for order in reversed(self.query.order):
            rows = self._sorted(rows, order, aggregate=aggregate)
        return rows

    def _sorted(self, rows: list[Row], order: Order, *, aggregate: bool) -> list[Row]:
        get: Any = operator.methodcaller("get", order.item.path)
        if not aggregate:
            get = self.names.path(order.item.path).get
        empty = [row for row in rows if get(row) is None]
        full = [row for row in rows if get(row) is not None]
        full.sort(key=lambda row: v.lower() if isinstance(v := get(row), str) else v, reverse=order.descending)
        return [*full, *empty] if order.nulls_last else [*empty, *full]

    def _cut(self, rows: list[Row]) -> list[Row]:
        if self.query.offset > FARTHEST_OFFSET:
            raise ApiError(400, "NUMBER_OUTSIDE_VALID_RANGE", f"Maximum SOQL offset allowed is {FARTHEST_OFFSET}")
        end = None if self.query.limit is None else self.query.offset + self.query.limit
        return rows[self.query.offset : end]


def _reduced(function: str, found: list[Any]) -> Any:
    if function == "AVG":
        return sum(found) / len(found)
    if function == "SUM":
        return sum(found)
    return min(found) if function == "MIN" else max(found)
