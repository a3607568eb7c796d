"""What a write does to an object's records: cells normalised, blanks left alone, `#N/A` clears; no protocol."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from bench.servers.digits import Ints
from bench.servers.fields import Field
from bench.servers.store import CODE, KEYED, Store, parent_path

CLEAR = "#N/A"


@dataclass(frozen=True)
class Outcome:
    """What became of the rows of a write, in their order: record ids, which were made, and why the others were not."""

    ids: pa.Array
    created: np.ndarray
    errors: Mapping[int, str]


def write(stores: Mapping[str, Store], name: str, operation: str, sent: pa.Table, key: str, stamp: str) -> Outcome:
    """Write rows (texts; blank for left alone); `key` is the external id of an upsert."""
    store = stores[name]
    unknown = [column for column in sent.column_names if column not in store.names]
    if unknown:
        raise ValueError(f"InvalidBatch : Field name not found : {unknown[0]}")
    if operation == "upsert":
        codes = store.codes(sent[key].combine_chunks())
        fresh = codes < 0
        codes[fresh] = store.new_codes(sent[key].filter(pa.array(fresh)).to_pylist())
    elif operation == "insert":
        keys = sent["LU_Key__c"].to_pylist() if "LU_Key__c" in sent.column_names else [None] * sent.num_rows
        codes = store.new_codes(keys)
    else:
        codes = store.by_id(sent["Id"].combine_chunks())
    if not np.diff(np.sort(codes)).all():
        raise ValueError("DUPLICATE_EXTERNAL_ID: a key comes twice in one file")
    there = store.alive(codes)
    errors = {}
    if operation in {"update", "delete"}:
        errors = {int(at): "ENTITY_IS_DELETED:entity is deleted:--" for at in np.flatnonzero(~there)}
    good = np.ones(len(codes), bool)
    good[list(errors)] = False
    if good.any():
        _put(stores, store, operation, sent.filter(pa.array(good)), codes[good], there[good], stamp)
    return Outcome(store.ids(codes), ~there, errors)


def _put(
    stores: Mapping[str, Store],
    store: Store,
    operation: str,
    sent: pa.Table,
    codes: Ints,
    there: np.ndarray,
    stamp: str,
) -> None:
    if not there.any():
        store.put(_pointed(stores, store, _fresh(store, sent, codes), set(sent.column_names)), stamp)
        return
    held = store.rows(codes)
    if not there.all():  # a record that was deleted begins anew
        blank = pa.scalar(None, pa.string())
        living = pa.array(there)
        held = pa.table({CODE: held[CODE], **{name: pc.if_else(living, held[name], blank) for name in store.names}})
        held = (
            _with(held, "Removed_In_LearnUpon__c", pc.fill_null(held["Removed_In_LearnUpon__c"], "false"))
            if ("Removed_In_LearnUpon__c" in store.names)
            else held
        )
    held = _with(held, "IsDeleted", pa.array(["true" if operation == "delete" else "false"] * len(codes)))
    if operation != "delete":
        for column in sent.column_names:
            if column != "Id":
                held = _with(held, column, _merged(held[column], sent[column], store.fields.get(column)))
        held = _pointed(stores, store, held, set(sent.column_names))
    store.put(held, stamp)


def _fresh(store: Store, sent: pa.Table, codes: Ints) -> pa.Table:
    """Return rows that are all new."""
    blank = pa.nulls(len(codes), pa.string())
    columns: dict[str, pa.Array | pa.ChunkedArray] = dict.fromkeys(store.names, blank)
    for name in sent.column_names:
        field = store.fields.get(name)
        columns[name] = _normal(_nulled(sent[name]), field.type if field else "string")
    columns["IsDeleted"] = pa.array(["false"] * len(codes))
    if columns.get("Removed_In_LearnUpon__c") is blank:
        columns["Removed_In_LearnUpon__c"] = columns["IsDeleted"]
    return pa.table({CODE: codes, **columns})


def _nulled(sent: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return cells without those that are blank or clear."""
    none = pc.is_in(sent, value_set=pa.array(["", CLEAR]))
    return pc.if_else(none, pa.scalar(None, pa.string()), sent) if pc.any(none).as_py() else sent


def _with(table: pa.Table, name: str, column: pa.Array | pa.ChunkedArray) -> pa.Table:
    return table.set_column(table.schema.get_field_index(name), name, column)


def _merged(held: pa.ChunkedArray, sent: pa.ChunkedArray, field: Field | None) -> pa.Array:
    """Return a column after a write."""
    return pc.if_else(pc.equal(sent, ""), held, _normal(_nulled(sent), field.type if field else "string"))


def _normal(values: pa.ChunkedArray, kind: str) -> pa.ChunkedArray:
    """Return values as Salesforce gives them back."""
    if kind == "double":
        if not pc.any(pc.match_substring(values, ".")).as_py():
            return pc.binary_join_element_wise(values, ".0", "")
        numbers = pc.cast(pc.cast(values, pa.float64()), pa.string())
        return pc.if_else(pc.match_substring(numbers, "."), numbers, pc.binary_join_element_wise(numbers, ".0", ""))
    if kind == "datetime" and pc.all(pc.equal(pc.binary_length(values), 24)).as_py():
        return values
    if kind == "datetime":
        return pc.binary_join_element_wise(pc.utf8_slice_codeunits(values, 0, 19), ".000Z", "")
    return pc.utf8_lower(values) if kind == "boolean" else pc.utf8_trim_whitespace(values)


def _pointed(stores: Mapping[str, Store], store: Store, rows: pa.Table, sent: set[str]) -> pa.Table:
    """Return rows whose lookups agree with the parents' keys that were sent."""
    for field in store.fields.values():
        path = parent_path(field.name)
        if field.refers_to in KEYED and path in sent:
            parent = stores[field.refers_to]
            codes = parent.codes(rows[path].combine_chunks())
            ids = pc.if_else(pa.array(codes >= 0), parent.ids(np.maximum(codes, 0)), pa.scalar(None, pa.string()))
            rows = _with(rows, field.name, ids)
    return rows
