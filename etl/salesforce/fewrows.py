"""A few records at once by REST, without a Bulk job: made, found or changed by key, changed, deleted; not for tables.

Source: REST guide, sObject Collections: up to 200 records a call, answered by one result each, in the order given.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from etl.errors import Unavailable
from etl.salesforce.org import Org
from etl.session import Patience
from etl.veil import veiled

MOST = 200
Row = Mapping[str, Any]


@dataclass(frozen=True)
class Result:
    """What became of one record: its id, or Salesforce's code and words when it was refused."""

    id: str
    code: str
    message: str


def insert(org: Org, name: str, rows: Sequence[Row]) -> list[Result]:
    """Make records of an object (API name), all of them or none; AnswerLost when it is unclear whether they were."""
    body = {"allOrNone": True, "records": _typed(name, rows)}
    return _results(org.json("POST", org.path("composite/sobjects"), json=body, repeatable=False), len(rows))


def upsert(org: Org, name: str, key: str, rows: Sequence[Row], patience: Patience | None = None) -> list[Result]:
    """Make records, or change those that have the same value in the external id `key`, each by itself."""
    body = {"allOrNone": False, "records": _typed(name, rows)}
    path = org.path(f"composite/sobjects/{name}/{key}")
    return _results(org.json("PATCH", path, json=body, repeatable=True, patience=patience), len(rows))


def update(org: Org, name: str, rows: Sequence[Row], patience: Patience | None = None) -> list[Result]:
    """Change records by their `id`, each by itself."""
    body = {"allOrNone": False, "records": _typed(name, rows)}
    path = org.path("composite/sobjects")
    return _results(org.json("PATCH", path, json=body, repeatable=True, patience=patience), len(rows))


def delete(org: Org, ids: Sequence[str], patience: Patience | None = None) -> list[Result]:
    """Delete records by id, each by itself; one that is gone already is refused with ENTITY_IS_DELETED."""
    params = {"ids": ",".join(ids), "allOrNone": "false"}
    path = org.path("composite/sobjects")
    return _results(org.json("DELETE", path, params=params, repeatable=True, patience=patience), len(ids))


def _typed(name: str, rows: Sequence[Row]) -> list[dict[str, Any]]:
    return [{"attributes": {"type": name}, **row} for row in rows]


def _results(answer: Any, expected: int) -> list[Result]:
    if not isinstance(answer, list) or len(answer) != expected or not all(isinstance(one, dict) for one in answer):
        raise Unavailable("Salesforce answered a few records in another form than documented; run again later")
    return [_result(one) for one in answer]


def _result(one: dict[str, Any]) -> Result:
    if one.get("success") is True:
        return Result(str(one.get("id") or ""), "", "")
    errors = one.get("errors")
    first = errors[0] if isinstance(errors, list) and errors and isinstance(errors[0], dict) else {}
    return Result("", str(first.get("statusCode") or "REFUSED"), veiled(str(first.get("message") or ""))[:200])
