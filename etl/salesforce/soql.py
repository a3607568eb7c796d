"""The one place that writes SOQL: names are checked and values quoted here, and nothing is sent."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from urllib.parse import quote_plus

_NAME = re.compile(r"[A-Za-z]\w*(\.[A-Za-z]\w*)*", re.ASCII)
_ESCAPES = str.maketrans(
    {"\\": "\\\\", "'": "\\'", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t", "\b": "\\b", "\f": "\\f"}
)
LONGEST = 90_000
"""Characters of one Bulk query; SOQL allows 100,000 (SOQL guide, limits)."""
LONGEST_IN_URL = 12_000
"""Bytes of one query in an address, encoded; Salesforce allows 16,384 for the address (REST guide, assumed for q)."""


def name(text: str) -> str:
    """Return an API name or dotted path as it is; ValueError when it is not one."""
    if not _NAME.fullmatch(text):
        raise ValueError(f"not an API name: {text!r}")
    return text


def quote(value: str) -> str:
    """Return a text as a SOQL literal (SOQL guide, quoted string escape sequences)."""
    return f"'{value.translate(_ESCAPES)}'"


def select(fields: Sequence[str], source: str, where: str = "") -> str:
    """Return `SELECT fields FROM source [WHERE where]`; there is no ORDER BY, which would slow a Bulk query down."""
    columns = ", ".join(name(field) for field in fields)
    query = f"SELECT {columns} FROM {name(source)}"  # noqa: S608 - names are checked, values quoted by this module
    return f"{query} WHERE {where}" if where else query


def count(source: str, where: str = "") -> str:
    """Return the query that counts rows; by REST only, Bulk knows no COUNT()."""
    query = f"SELECT COUNT() FROM {name(source)}"  # noqa: S608 - names are checked, values quoted by this module
    return f"{query} WHERE {where}" if where else query


def totals(sums: Sequence[str], counts: Sequence[str], source: str, where: str = "") -> str:
    """Return the query for one row about many: how many, the least and greatest Id, sums, and counts of set fields.

    Its columns are `n`, `low`, `high`, then `s0`, `s1`, ... and `c0`, `c1`, ... in the order given. By REST only.
    """
    parts = ["COUNT(Id) n", "MIN(Id) low", "MAX(Id) high"]
    parts += [f"SUM({name(field)}) s{number}" for number, field in enumerate(sums)]
    parts += [f"COUNT({name(field)}) c{number}" for number, field in enumerate(counts)]
    query = f"SELECT {', '.join(parts)} FROM {name(source)}"  # noqa: S608 - names are checked, values quoted by this module
    return f"{query} WHERE {where}" if where else query


def is_in(field: str, values: Iterable[str]) -> str:
    """Return the condition that a field is one of the values."""
    return f"{name(field)} IN ({','.join(quote(value) for value in values)})"


def numbers_in(field: str, values: Iterable[int]) -> str:
    """Return the condition that a number field is one of the values."""
    return f"{name(field)} IN ({','.join(str(int(value)) for value in values)})"


def starts_with(field: str, prefix: str) -> str:
    """Return the condition that a text begins with the prefix, in which `%` and `_` stand for themselves."""
    literal = quote(prefix)[1:-1].replace("%", "\\%").replace("_", "\\_")
    return f"{name(field)} LIKE '{literal}%'"


def is_set(field: str) -> str:
    """Return the condition that a field is not blank."""
    return f"{name(field)} != null"


def is_blank(field: str) -> str:
    """Return the condition that a field is blank."""
    return f"{name(field)} = null"


def is_true(field: str) -> str:
    """Return the condition that a checkbox is set."""
    return f"{name(field)} = true"


def since(field: str, moment: datetime) -> str:
    """Return the condition that a time is not before a moment, to the second."""
    return f"{name(field)} >= {moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def either(conditions: Sequence[str]) -> str:
    """Return the conditions joined by OR, in parentheses."""
    return "(" + " OR ".join(conditions) + ")"


def both(*conditions: str) -> str:
    """Return the conditions that are not empty, joined by AND."""
    return " AND ".join(condition for condition in conditions if condition)


def portions(values: Iterable[str], *, count: int, room: int, in_url: bool) -> Iterator[list[str]]:
    """Give the values in portions of at most `count` whose literals fit into `room` (characters, or bytes of a URL)."""
    portion: list[str] = []
    used = 0
    for value in values:
        literal = quote(value) + ","
        size = len(quote_plus(literal)) if in_url else len(literal)
        if portion and (len(portion) >= count or used + size > room):
            yield portion
            portion, used = [], 0
        portion.append(value)
        used += size
    if portion:
        yield portion
