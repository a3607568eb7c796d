"""The lists that people open in a spreadsheet, as CSV pieces to be written; arrow does the work, no row is touched.

UTF-8 without a byte order mark, since programs read these files too; keys and codes are plain letters. A text that a
spreadsheet would take for a formula gets an apostrophe in front, as OWASP's page on CSV injection advises; plain
numbers stay numbers.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv

from etl.diff import CHANGED, changed_columns
from etl.frames import to_arrow
from etl.park import Park
from etl.plan import EntityPlan
from etl.report import wording

CHANGES = ("action", "key", "record_id", "changed", "reason")
UNMATCHED = ("portal", "learner_id", "reason", "explanation", "sf_contact_id", "sf_user_id")
NAMES = ("first_name", "last_name", "email")
REFUSED = ("object", "key", "operation", "code", "message")
_FORMULA = "^[=+\\-@\\t\\r\\n\\x00＝＋－＠]"  # noqa: RUF001 - the full-width forms are what Excel also takes for a formula
_NUMBER = "^[+-]?[0-9]+([.][0-9]+)?$"


def changes_csv(plan: EntityPlan) -> Iterator[bytes]:
    """Return all changes of one object: action, key, record id, names of the changed columns, why a row is deleted."""
    key = plan.entity.key
    creates = (_changes("create", table, key) for table in plan.creates.batches())
    updates = (
        _changes("update", table, key, changed=_column_names(table[CHANGED], plan.entity.columns))
        for table in plan.updates.batches()
    )
    deletes = (_changes("delete", table, key, reason=table["reason"]) for table in plan.deletes.batches())
    return _csv(CHANGES, chain(creates, updates, deletes))


def unmatched_csv(portals: Iterable[tuple[str, pd.DataFrame]], *, show_names: bool) -> Iterator[bytes]:
    """Return the learners who are nobody in Salesforce, portal by portal.

    Each frame holds user_id, reason, sf_contact_id, sf_user_id, and first_name, last_name, email for `show_names`;
    rows without a reason are matched and left out.
    """
    header = UNMATCHED + (NAMES if show_names else ())
    return _csv(header, (_unmatched(name, learners, header) for name, learners in portals))


def refused_csv(refused: pd.DataFrame, rejected: pd.DataFrame) -> Iterator[bytes]:
    """Return rows that Salesforce refused (object, key, operation, code, message), then rows never sent.

    `rejected` holds object, key and reason: values that no field can hold. Their operation is `none`.
    """
    unsent = rejected[["object", "key"]].assign(operation="none", code="rejected", message=rejected["reason"])
    return _csv(REFUSED, (_text_table(frame, REFUSED) for frame in (refused, unsent)))


def left_csv(left: Park) -> Iterator[bytes]:
    """Return the rows that putting a run back leaves as they are: object, key, record id, columns, and why."""
    return _csv(tuple(left.schema.names), left.batches())


def safe(cells: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return texts with an apostrophe before each one that a spreadsheet would run as a formula; nulls stay null."""
    risky = pc.and_(pc.match_substring_regex(cells, _FORMULA), pc.invert(pc.match_substring_regex(cells, _NUMBER)))
    return pc.if_else(risky, pc.binary_join_element_wise("'", cells, ""), cells)


def _csv(header: tuple[str, ...], tables: Iterable[pa.Table]) -> Iterator[bytes]:
    yield ",".join(header).encode() + b"\r\n"
    options = pa_csv.WriteOptions(include_header=False, eol="\r\n")
    for table in tables:
        safely = [safe(column) if pa.types.is_string(column.type) else column for column in table.columns]
        sink = pa.BufferOutputStream()
        pa_csv.write_csv(pa.table(safely, names=table.column_names), sink, options)
        yield sink.getvalue().to_pybytes()


def _changes(
    action: str,
    table: pa.Table,
    key: str,
    *,
    changed: pa.ChunkedArray | None = None,
    reason: pa.ChunkedArray | None = None,
) -> pa.Table:
    blank = pa.nulls(table.num_rows, pa.string())
    ids = table["Id"] if "Id" in table.column_names else blank
    columns = [_repeat(action, table.num_rows), table[key], ids, _or(changed, blank), _or(reason, blank)]
    return pa.table([_chunked(column) for column in columns], names=list(CHANGES))


def _or(column: pa.ChunkedArray | None, blank: pa.Array) -> pa.ChunkedArray:
    return blank if column is None else column


def _chunked(column: pa.Array | pa.ChunkedArray) -> pa.ChunkedArray:
    return column if isinstance(column, pa.ChunkedArray) else pa.chunked_array([column])


def _repeat(text: str, rows: int) -> pa.Array:
    return pa.repeat(pa.scalar(text, pa.string()), rows)


def _column_names(bits: pa.ChunkedArray, columns: tuple[str, ...]) -> pa.ChunkedArray:
    """Return the names behind the bits, joined by `;`: each combination that occurs is put into words once."""
    coded = pc.dictionary_encode(bits.combine_chunks())
    names = [";".join(changed_columns(combination, columns)) for combination in coded.dictionary.to_pylist()]
    return pc.take(pa.array(names, pa.string()), coded.indices)


def _unmatched(portal: str, learners: pd.DataFrame, header: tuple[str, ...]) -> pa.Table:
    lost = learners[learners["reason"].notna()].rename(columns={"user_id": "learner_id"})
    words = {code: wording.reason(code) for code in lost["reason"].unique()}
    return _text_table(lost.assign(portal=portal, explanation=lost["reason"].map(words)), header)


def _text_table(frame: pd.DataFrame, header: tuple[str, ...]) -> pa.Table:
    """Return these columns as texts, learner ids as numbers."""
    types = {"learner_id": pa.int64()}
    schema = pa.schema([(name, types.get(name, pa.string())) for name in header])
    return to_arrow(frame, schema)
