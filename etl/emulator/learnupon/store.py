"""All portals of an emulated LearnUpon, its knobs and its clock; it answers no requests."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from etl.emulator.learnupon.knobs import Knobs
from etl.emulator.learnupon.portal import Portal

if TYPE_CHECKING:
    from collections.abc import Callable

NOW = datetime(2026, 11, 20, tzinfo=UTC)


class LearnUponStore:
    """Portals by name. `now` is the moment that new and changed rows carry, unless a `clock` is given."""

    def __init__(self, *, now: datetime = NOW, clock: Callable[[], datetime] | None = None) -> None:
        """Start without portals."""
        self.now = now
        self.knobs = Knobs()
        self.portals: dict[str, Portal] = {}
        self._clock = clock

    def clock(self) -> datetime:
        """The present moment in LearnUpon."""
        return self._clock() if self._clock is not None else self.now

    def add_portal(self, name: str, portal_id: int, title: str = "", **fields: Any) -> Portal:
        """Add an empty portal with credentials of its own; ValueError when the name is taken."""
        if name in self.portals:
            raise ValueError(f"there is a portal {name!r} already")
        portal = Portal(name, portal_id, title or name.title(), knobs=self.knobs, clock=self.clock, **fields)
        self.portals[name] = portal
        return portal

    def touch(self) -> None:
        """Throw every cached page away."""
        for portal in self.portals.values():
            portal.touch()
