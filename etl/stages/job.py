"""What a run was asked to do, and what it needs of the world to do it; it does nothing itself."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from random import Random

from etl.clock import Clock
from etl.config import PortalSettings, Settings
from etl.cores import Cores
from etl.guards import Allowed
from etl.interrupt import Interruptions
from etl.progress import Progress
from etl.session import Transport, over_sockets
from etl.state.disk import free_space


@dataclass(frozen=True)
class Backfill:
    """The scope of a backfill; None everywhere means everything of the portals."""

    course: int | None = None
    learner: str | None = None
    """LearnUpon user id or e-mail."""
    enrolled_from: date | None = None
    enrolled_to: date | None = None
    """UTC days, inclusive."""


@dataclass(frozen=True)
class Job:
    """One run: settings, what to do, and the clock, chance and progress to do it with."""

    settings: Settings
    command: str
    run_id: str
    clock: Clock
    random: Random
    progress: Progress
    portals: tuple[PortalSettings, ...]
    """The portals of this run, in the order of the configuration."""
    transport: Transport = over_sockets
    """What carries the requests."""
    decoders: Cores | None = None
    """Workers for LearnUpon's pages that were started early; None: they are when they are wanted."""
    dry_run: bool = False
    """Stop before the first write."""
    with_profiles: bool = True
    """False when only some portals are read: the sum over all portals is then not known."""
    allowed: Allowed = field(default_factory=Allowed)
    backfill: Backfill | None = None
    show_values: bool = False
    free_space: Callable[[Path], int] = free_space
    """Tells how many bytes are free on the disk of a folder."""
    signals: Interruptions = field(default_factory=Interruptions)
    stop: threading.Event = field(default_factory=threading.Event)
    """Set when the run is given up: the threads that work for it end soon (`etl.clock.stoppable`)."""

    @property
    def writes(self) -> bool:
        """Return whether this run may write to Salesforce."""
        return not self.dry_run and self.command != "plan"

    @property
    def portal_ids(self) -> tuple[int, ...]:
        """Return the ids of the portals, in the order of their places."""
        return tuple(portal.portal_id for portal in self.portals)
