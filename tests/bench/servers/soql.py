"""The SOQL that is asked of the org: one object, a list of fields, and conditions, read into a tree and judged."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

_QUERY = re.compile(
    r"\s*SELECT\s+(?P<fields>.+?)\s+FROM\s+(?P<source>\w+)"
    r"(?:\s+WHERE\s+(?P<where>.+?))?(?:\s+ORDER\s+BY\s+[\w. ,]+?)?(?:\s+LIMIT\s+(?P<limit>\d+))?\s*",
    re.IGNORECASE | re.DOTALL,
)
_TOKEN = re.compile(
    r"\s*(?:(?P<paren>[()])|(?P<word>AND|OR|NOT)\b|(?P<field>[A-Za-z][\w.]*)\s*(?:(?P<in>(?:NOT\s+)?IN)\s*\((?P<list>[^()]*)\)"
    r"|(?P<op>LIKE|>=|<=|!=|<>|=|>|<)\s*(?P<value>'(?:[^'\\]|\\.)*'|[\w.:+-]+)))",
    re.IGNORECASE,
)
_AGGREGATE = re.compile(r"(COUNT|SUM|MIN|MAX)\(\s*(\w[\w.]*)\s*\)\s+(\w+)", re.IGNORECASE)
_TEXT = re.compile(r"'((?:[^'\\]|\\.)*)'")
Tree = tuple[Any, ...]


@dataclass(frozen=True)
class Aggregate:
    """One column of a query for one row about many."""

    function: str
    field: str
    alias: str


@dataclass(frozen=True)
class Query:
    """A query: `fields` is empty for COUNT()."""

    fields: tuple[str, ...]
    source: str
    where: Tree | None
    limit: int | None
    aggregates: tuple[Aggregate, ...] = ()

    @property
    def counts(self) -> bool:
        """Whether only the number of rows is asked for."""
        return not self.fields and not self.aggregates


@dataclass(frozen=True)
class Test:
    """One condition on a field; the value of IN is a list of texts, others are as written, quotes removed."""

    field: str
    op: str
    value: Any


def parse(text: str) -> Query:
    """Read a query; ValueError for what this org does not understand."""
    found = _QUERY.fullmatch(text)
    if found is None:
        raise ValueError(f"MALFORMED_QUERY: {text[:80]}")
    parts = re.split(r"\s*,\s*", found["fields"])
    aggregates = tuple(
        Aggregate(one[1].upper(), one[2], one[3]) for part in parts if (one := _AGGREGATE.fullmatch(part))
    )
    fields = () if aggregates or re.fullmatch(r"COUNT\(\s*\)", found["fields"], re.IGNORECASE) else tuple(parts)
    if aggregates and len(aggregates) < len(parts):
        raise ValueError(f"MALFORMED_QUERY: {text[:80]}")
    where = _tree(_tokens(found["where"])) if found["where"] else None
    return Query(fields, found["source"], where, int(found["limit"]) if found["limit"] else None, aggregates)


def _tokens(text: str) -> list[Any]:
    tokens: list[Any] = []
    text, at = text.strip(), 0
    while at < len(text):
        found = _TOKEN.match(text, at)
        if found is None:
            raise ValueError(f"MALFORMED_QUERY: {text[at : at + 60]}")
        at = found.end()
        if found["paren"] or found["word"]:
            tokens.append((found["paren"] or found["word"]).upper())
        elif found["in"]:
            values = [_plain(value) for value in _TEXT.findall(found["list"])] or re.findall(r"[^\s,]+", found["list"])
            tokens.append(Test(found["field"], " ".join(found["in"].upper().split()), values))
        else:
            tokens.append(Test(found["field"], found["op"].upper(), _value(found["value"])))
    return tokens


def _plain(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text) if "\\" in text else text


def _value(text: str) -> Any:
    if text.startswith("'"):
        return text[1:-1]
    return None if text.lower() == "null" else text


def _tree(tokens: list[Any]) -> Tree:
    """Return `("AND" | "OR", ...)` of tests and trees; AND binds as strongly as OR only inside of brackets."""
    parts: list[Any] = []
    words: set[str] = set()
    while tokens and tokens[0] != ")":
        token = tokens.pop(0)
        if token == "(":
            parts.append(_tree(tokens))
            if not tokens:
                raise ValueError("MALFORMED_QUERY: a bracket is open")
            tokens.pop(0)
        elif isinstance(token, Test):
            parts.append(token)
        else:
            words.add(token)
    if len(words) > 1 or "NOT" in words:
        raise ValueError("MALFORMED_QUERY: brackets are missing, or NOT")
    return (words.pop() if words else "AND", *parts)


def tests(tree: Tree | None) -> list[Test]:
    """Return the tests that hold for every row of a result: those joined by AND at the top."""
    if tree is None or (tree[0] == "OR" and len(tree) > 2):
        return []
    return [one for part in tree[1:] for one in ([part] if isinstance(part, Test) else tests(part))]


def fields(tree: Tree | None) -> set[str]:
    """Return all fields that are asked about."""
    parts = tree[1:] if tree else ()
    return {name for part in parts for name in ({part.field} if isinstance(part, Test) else fields(part))}


def judge(tree: Tree | None, rows: pa.Table) -> pa.Array:
    """Say which rows (texts, null for blank) meet the conditions."""
    if tree is None:
        return pa.array([True] * rows.num_rows, pa.bool_())
    found = [_test(part, rows) if isinstance(part, Test) else judge(part, rows) for part in tree[1:]]
    joined = found[0]
    for one in found[1:]:
        joined = pc.and_(joined, one) if tree[0] == "AND" else pc.or_(joined, one)
    return joined.combine_chunks() if isinstance(joined, pa.ChunkedArray) else joined


def _test(test: Test, rows: pa.Table) -> pa.Array:
    column = rows[test.field]
    if test.op in {"IN", "NOT IN"}:
        found = pc.is_in(column, value_set=pa.array(test.value, pa.string()))
        return found if test.op == "IN" else pc.invert(found)
    if test.value is None:
        return pc.is_valid(column) if test.op in {"!=", "<>"} else pc.is_null(column)
    if test.op == "LIKE":
        return pc.fill_null(pc.match_like(column, test.value), False)
    compare = {"=": pc.equal, "!=": pc.not_equal, "<>": pc.not_equal, ">=": pc.greater_equal, ">": pc.greater}
    value = _plain(test.value)
    found = (compare | {"<=": pc.less_equal, "<": pc.less})[test.op](column, _comparable(value))
    return pc.fill_null(found, test.op in {"!=", "<>"})


def _comparable(value: str) -> str:
    """Return a value so that texts compare as Salesforce would: times in the one form that rows have."""
    if re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|\+00:?00)", value):
        return value[:19] + ".000Z"
    return value.lower() if value.lower() in {"true", "false"} else value
