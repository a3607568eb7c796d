"""Prebuilt lines with gaps for digits, copied and filled in for any stretch of rows; it knows no format."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from bench.servers.digits import Bytes, Ints, digits


class Gap(NamedTuple):
    """A place for digits: where it begins, how wide it is, which number goes in, and what is added to it."""

    start: int
    width: int
    name: str
    base: int = 0


class Grid:
    """Lines of one width, all with their gaps in the same columns."""

    def __init__(self, lines: Sequence[bytes], gaps: Sequence[Gap]) -> None:
        """Take lines of equal length."""
        self._lines = np.frombuffer(b"".join(lines), np.uint8).reshape(len(lines), len(lines[0]))
        self._gaps = gaps

    def fill(self, places: Ints, numbers: Mapping[str, Ints | int]) -> bytearray:
        """Return the lines at these places, one after another; one number may serve for all of them."""
        body = bytearray(len(places) * self._lines.shape[1])
        out = np.frombuffer(body, np.uint8).reshape(len(places), -1)
        self._lines.take(places, axis=0, out=out, mode="clip")
        for gap in self._gaps:
            found = np.atleast_1d(np.asarray(numbers[gap.name], np.int64)) + gap.base
            out[:, gap.start : gap.start + gap.width] = digits(found, gap.width)
        return body


class Ragged:
    """Lines of different widths; `gaps` holds for each gap where it begins in every line."""

    def __init__(self, lines: Sequence[bytes], gaps: Sequence[tuple[Ints, int, str, int]]) -> None:
        """Take lines and their gaps: (starts, width, name of the number, base)."""
        self._text = np.frombuffer(b"".join(lines), np.uint8)
        self._starts = np.concatenate([[0], np.cumsum([len(line) for line in lines])]).astype(np.int64)
        self._gaps = gaps
        columns = [
            self._starts[:-1, None] + starts[:, None] + np.arange(width)[None, :] for starts, width, _, _ in gaps
        ]
        self._holes = np.hstack(columns).astype(np.int64) if columns else np.empty((len(lines), 0), np.int64)

    def fill(self, first: int, numbers: Mapping[str, Ints], keep: np.ndarray | None = None) -> list[Bytes]:
        """Return a stretch of lines from the one at `first` on, round and round, as pieces; `keep` says which."""
        pieces, done = [], 0
        count = len(next(iter(numbers.values())))
        size = len(self._starts) - 1
        while done < count:
            start = (first + done) % size
            stop = min(size, start + count - done)
            part = slice(done, done + stop - start)
            pieces.append(self._piece(start, stop, {name: found[part] for name, found in numbers.items()}))
            if keep is not None and not keep[part].all():
                widths = np.diff(self._starts[start : stop + 1])
                pieces[-1] = pieces[-1][np.repeat(keep[part], widths)]
            done += stop - start
        return pieces

    def _piece(self, start: int, stop: int, numbers: Mapping[str, Ints]) -> Bytes:
        began = self._starts[start]
        out = self._text[began : self._starts[stop]].copy()
        if self._gaps:
            filled = np.hstack([digits(numbers[name] + base, width) for _, width, name, base in self._gaps])
            out[self._holes[start:stop] - began] = filled
        return out
