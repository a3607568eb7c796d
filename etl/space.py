"""How many bytes of disk a run will take, from counts of rows alone; it looks at no disk and stops nothing.

What grows with a portal lies on the disk, not in memory: both sides' rows, parked and split into partitions, then the
plan, and the files that are sent and read back. Figures are bytes a row, measured with the demo's names (46 characters
of a course on the average).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

from etl.budget import Sent
from etl.schema import BY_NAME

LISTED = 160
"""A course enrollment as LearnUpon lists it (measured: 154); one of a path takes less (107)."""
HELD = {"portal": 160, "member": 160, "enrollment": 225, "path": 180, "profile": 0}
"""A row as Salesforce holds it, by what it is (measured: 137, 220, 162); people stay in memory."""
_PLANNED = 225
"""A row of the plan, and as much for what it was before (measured: 190 to create, 227 to update)."""
_SENT = 200
"""A row of a file that is uploaded (measured: 186), and of its results with the id."""
_LISTED_CHANGE = 100
"""A row of `changes/*.csv` (measured: 51 of a create, 85 of an update)."""
_SPLIT = 2
"""Rows lie there twice while they are parted: as they came, and by partition."""
_SLACK = 1.1


def of_salesforce(held: Mapping[str, int]) -> int:
    """Return the bytes that rows of Salesforce take, by local object name."""
    return _SPLIT * sum(rows * HELD[BY_NAME[name].row] for name, rows in held.items())


def of_learnupon(rows: int, held: Mapping[str, int]) -> int:
    """Return the bytes that LearnUpon's enrollments take, and the plan for those that Salesforce does not hold yet.

    `rows` are course enrollments by LearnUpon's counts; when Salesforce holds more, so many are taken to be listed.
    """
    known = {kind: sum(held[name] for name in held if BY_NAME[name].row == kind) for kind in ("enrollment", "path")}
    listed = max(rows, known["enrollment"]) + known["path"]
    return _SPLIT * LISTED * listed + _PLANNED * max(0, rows - known["enrollment"])


def of_writes(sent: Iterable[Sent]) -> int:
    """Return the bytes that sending a plan takes beside the plan: an object's files and read-back, and the lists."""
    objects = list(sent)
    lists = sum(one.written + one.deletes for one in objects) * _LISTED_CHANGE
    return lists + max((_files_of(one) for one in objects), default=0)


def _files_of(one: Sent) -> int:
    """Return the bytes of an object's uploads and results, and of the rows read back: all of them when many changed."""
    again = one.desired if one.written > one.desired // 10 else one.written
    return 2 * _SENT * (one.written + one.deletes) + HELD["enrollment"] * again


def with_slack(needed: int) -> int:
    """Return what must be free for so many bytes: names are longer elsewhere, and file systems keep some."""
    return math.ceil(needed * _SLACK)
