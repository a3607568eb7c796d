"""What runs left behind of their scope in the org: one record of the run object for each key; it compares nothing.

The record has `LU_Key__c` = `scope:{portal id}` or `scope:profiles`; `Outcome__c` holds the fingerprint, `Command__c`
the digest, `Run_Id__c` and `Started_At__c` which run kept it, and when.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import pyarrow as pa

from etl.errors import SchemaMismatch, SyncError
from etl.salesforce import fewrows
from etl.salesforce.lease import stamp
from etl.salesforce.org import Org
from etl.salesforce.query import rows_of
from etl.salesforce.typed import Column
from etl.schema import KEY, RUN_LOG
from etl.scope import Kept
from etl.session import Patience

PREFIX = "scope:"
_TEXTS = (KEY, "Run_Id__c", "Command__c", "Outcome__c")
_COLUMNS = [
    *(Column(name, name, pa.string()) for name in _TEXTS),
    Column("Started_At__c", "Started_At__c", pa.timestamp("ms", tz="UTC")),
]
_PATIENCE = Patience(attempts=2, waiting_s=5.0, connect_s=4.0, read_s=6.0)


def read_scopes(org: Org, keys: Iterable[str]) -> dict[str, Kept] | None:
    """Return what is kept of these keys, as far as there is something; None in an org without the run object."""
    if org.settings.namespace:
        return None
    try:
        tables = list(rows_of(org, RUN_LOG, _COLUMNS, KEY, [PREFIX + key for key in keys]))
    except SchemaMismatch:
        return None
    rows = [row for table in tables for row in table.to_pylist() if row["Started_At__c"] and row["Outcome__c"]]
    return {
        row[KEY].removeprefix(PREFIX): Kept(
            row["Run_Id__c"] or "?", row["Started_At__c"], row["Outcome__c"], row["Command__c"] or ""
        )
        for row in rows
    }


def write_scopes(org: Org, scopes: Mapping[str, Kept]) -> list[str]:
    """Keep these scopes; return warnings, since without them the next run only asks once more than it had to."""
    rows = [_row(key, kept) for key, kept in scopes.items()]
    try:
        for start in range(0, len(rows), fewrows.MOST):
            results = fewrows.upsert(org, RUN_LOG, KEY, rows[start : start + fewrows.MOST], _PATIENCE)
            refused = [one for one in results if one.code]
            if refused:
                return [_unkept(f"{refused[0].code} {refused[0].message}")]
    except SyncError as error:
        return [_unkept(str(error))]
    return []


def _row(key: str, kept: Kept) -> dict[str, str]:
    return {
        KEY: PREFIX + key,
        "Run_Id__c": kept.run_id,
        "Command__c": kept.digest,
        "Outcome__c": kept.fingerprint,
        "Started_At__c": stamp(kept.kept_at),
    }


def _unkept(why: str) -> str:
    return f"the scope of this run could not be kept in Salesforce: {why}; the next run compares with the one before"
