"""What a read can be handed so that it goes on from one that was stopped; where that is kept, others know."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Protocol

import pyarrow as pa


class Kept(Protocol):
    """Listings that a stopped read of the same scope had read to their end."""

    @property
    def ready(self) -> int:
        """Return how many listings are there, read to their end."""

    def listing(self, name: str, schema: pa.Schema, pages: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Give the pages of a listing: those that were kept, else `pages`, which are kept."""
