"""What holds for every test: the collector leaves alone what was imported, since looking through it costs the most."""

from __future__ import annotations

import gc


def pytest_collection_finish() -> None:
    """Put all that the tests' modules hold out of the collector's sight: 7 % of the time of whole runs (measured)."""
    gc.collect()
    gc.freeze()
