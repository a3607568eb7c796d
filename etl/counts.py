"""The counts of a plan, object by object; it counts nothing itself."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class Counts:
    """Rows of one object.

    desired = create + update + unchanged + rejected; existing = update + unchanged + delete + unconfirmed; `kept` says
    how many of the desired rows LearnUpon no longer has.
    """

    desired: int = 0
    existing: int = 0
    create: int = 0
    update: int = 0
    delete: int = 0
    unchanged: int = 0
    kept: int = 0
    unconfirmed: int = 0
    rejected: int = 0
