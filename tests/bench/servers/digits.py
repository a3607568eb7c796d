"""Whole numbers as digits and as fixed-width texts, many at a time; it knows nothing of what they stand for."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

Ints = np.ndarray[Any, np.dtype[np.int64]]
Bytes = np.ndarray[Any, np.dtype[np.uint8]]

_FOUR = np.frombuffer(b"".join(b"%04d" % number for number in range(10_000)), np.uint32)
"""Four digits each, as one number: looked up and copied in a third of the time that four bytes take (measured)."""


def digits(numbers: Ints, width: int) -> Bytes:
    """Return the last `width` decimal digits of numbers (not negative) as ASCII, one line a number."""
    groups = -(-width // 4)
    out = np.empty((len(numbers), groups), np.uint32)
    rest = numbers
    for group in range(groups - 1, -1, -1):
        upper = rest // 10_000
        out[:, group] = _FOUR[rest - upper * 10_000]
        rest = upper
    return out.view(np.uint8)[:, groups * 4 - width :]


def texts(prefix: bytes, numbers: Ints, width: int, suffix: bytes) -> pa.Array:
    """Return `prefix`, the digits and `suffix` as one text a number."""
    before, whole = len(prefix), len(prefix) + width + len(suffix)
    out = np.empty((len(numbers), whole), np.uint8)
    out[:, :before] = np.frombuffer(prefix, np.uint8)
    out[:, before : before + width] = digits(numbers, width)
    out[:, before + width :] = np.frombuffer(suffix, np.uint8)
    offsets = np.arange(len(numbers) + 1, dtype=np.int32) * whole
    return pa.StringArray.from_buffers(len(numbers), pa.py_buffer(offsets.tobytes()), pa.py_buffer(out.tobytes()))
