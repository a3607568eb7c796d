"""Sees that no file holds a key twice or an empty key, before the first one is sent; it mends nothing.

Of two lines with one key in an upload Salesforce refuses one or both, or takes the later. The plan never has two: this
is the last look, and what it finds is a bug. It holds 8 bytes a row, whatever the rows.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from etl.errors import Bug
from etl.frames import hashed
from etl.park import Park
from etl.plan import EntityPlan

_SHOWN = 3


def refuse_repeats(plan: EntityPlan) -> None:
    """Raise Bug when an object's upserts, or its deletes, would name a record twice or none."""
    name, key = plan.entity.name, plan.entity.key
    writes = [park for park in (plan.creates, plan.updates) if key in park.schema.names]
    for parks, column in ((writes, key), ([plan.deletes], "Id")):
        repeated = _repeated(parks, column)
        if repeated:
            raise Bug(
                f"this is a bug in learnupon-sync: values of {name}.{column} that would be sent empty or more than "
                f"once: {len(repeated):,} ({', '.join(repeated[:_SHOWN])}); nothing was written"
            )


def _repeated(parks: Sequence[Park], column: str) -> list[str]:
    """Return the values that are empty or there more than once."""
    hashes = np.empty(sum(park.rows for park in parks), dtype=np.uint64)
    end = 0
    for keys in _keys(parks, column):
        if keys.null_count or pc.any(pc.equal(keys, "")).as_py():
            return ["(empty)"]
        hashes[end : end + len(keys)] = hashed(keys)
        end += len(keys)
    hashes.sort()
    twice = hashes[1:][hashes[1:] == hashes[:-1]]
    if not len(twice):
        return []
    # two values may share a hash: what counts are the values
    counted = Counter(key for keys in _keys(parks, column) for key in keys.filter(_among(keys, twice)).to_pylist())
    return sorted(key for key, times in counted.items() if times > 1)


def _keys(parks: Sequence[Park], column: str) -> Iterator[pa.ChunkedArray]:
    for park in parks:
        for table in park.batches():
            yield table[column]


def _among(keys: pa.ChunkedArray, hashes: np.ndarray[tuple[int], np.dtype[np.uint64]]) -> pa.Array:
    return pa.array(np.isin(hashed(keys), hashes))
