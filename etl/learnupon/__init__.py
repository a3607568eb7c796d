"""LearnUpon, read: the one door of this package; nothing here ever writes to a portal.

Behind it a module is imported when something of it is first asked for: a worker, which only decodes pages, then starts
without pandas and HTTP (0.4 s of CPU less).
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from etl.learnupon.client import LearnUpon
    from etl.learnupon.pin import check_portal
    from etl.learnupon.questions import Confirmed, confirm
    from etl.learnupon.reading import Listed, PortalRead, read_portal
    from etl.learnupon.scope import UnknownLearner, read_scope

__all__ = [
    "Confirmed",
    "LearnUpon",
    "Listed",
    "PortalRead",
    "UnknownLearner",
    "check_portal",
    "confirm",
    "read_portal",
    "read_scope",
]
_BEHIND = {
    "client": ("LearnUpon",),
    "pin": ("check_portal",),
    "questions": ("Confirmed", "confirm"),
    "reading": ("Listed", "PortalRead", "read_portal"),
    "scope": ("UnknownLearner", "read_scope"),
}


def __getattr__(name: str) -> Any:
    """Return what is behind the door under a name."""
    for module, names in _BEHIND.items():
        if name in names:
            return getattr(import_module(f"etl.learnupon.{module}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
