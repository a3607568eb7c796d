"""LearnUpon, read: the one door of this package; nothing here ever writes to a portal."""

from __future__ import annotations

from etl.learnupon.client import LearnUpon
from etl.learnupon.confirm import Confirmed, confirm
from etl.learnupon.kept import Kept
from etl.learnupon.pin import check_portal
from etl.learnupon.reading import Listed, PortalRead, read_portal
from etl.learnupon.scope import UnknownLearner, read_scope

__all__ = [
    "Confirmed",
    "Kept",
    "LearnUpon",
    "Listed",
    "PortalRead",
    "UnknownLearner",
    "check_portal",
    "confirm",
    "read_portal",
    "read_scope",
]
