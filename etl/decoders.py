"""The worker processes that decode LearnUpon's pages: how many, from when on, what they load; it decodes nothing.

It loads little itself, so that they can be started before the program has loaded the rest.
"""

from __future__ import annotations

from etl.cores import Cores, available

_MOST = 2
"""Two keep up with the threads that fetch pages (0.9 ms of a core a page each)."""
_FEW_PAGES = 100
"""Pages of 500 rows that are decoded here before workers are started: less than a second's work."""


def how_many(cores: int) -> int:
    """Return how many workers decode pages: as many as there are cores, to a limit, but for the one that fetches."""
    return min(cores - 1, _MOST)


def decoders() -> Cores:
    """Return the workers; they are started once there is much to decode, or when `start` says so."""
    return Cores(how_many(available()), after=_FEW_PAGES, imports=["etl.learnupon.pages"])
