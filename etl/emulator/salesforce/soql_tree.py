"""The parts of a query once it is read; nothing is read or looked up here."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple


class Literal(NamedTuple):
    """A value in a condition: kind string, moment, date, number, boolean, null or range (TODAY, LAST_N_DAYS:5)."""

    kind: str
    text: str


@dataclass
class Item:
    """A column of SELECT: a path, or a function of a path (empty path: COUNT())."""

    path: str
    function: str = ""
    alias: str = ""


@dataclass
class Compare:
    """`path op values`; a list for IN and NOT IN, or a semi-join."""

    path: str
    op: str
    values: list[Literal]
    sub: Select | None = None


@dataclass
class Junction:
    """AND or OR of parts, or NOT of one."""

    op: str
    parts: list[Condition]


Condition = Compare | Junction


@dataclass
class Order:
    """A column of ORDER BY; nulls come first unless asked otherwise."""

    item: Item
    descending: bool = False
    nulls_last: bool = False


@dataclass
class Select:
    """A query."""

    items: list[Item]
    object: str
    alias: str = ""
    where: Condition | None = None
    group: list[str] = field(default_factory=list)
    order: list[Order] = field(default_factory=list)
    limit: int | None = None
    offset: int = 0
