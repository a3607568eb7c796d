"""Reads all portals of a run at once, and asks LearnUpon about single rows; what answers mean is decided elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
import pyarrow as pa

from etl import frames, keys
from etl.config import PortalSettings
from etl.cores import Cores
from etl.decoders import decoders
from etl.errors import UsageFault
from etl.learnupon import (
    LearnUpon,
    Listed,
    PortalRead,
    UnknownLearner,
    check_portal,
    confirm,
    read_portal,
    read_scope,
)
from etl.park import Park
from etl.stages.job import Backfill, Job
from etl.stages.threads import first_failure, threads
from etl.state.kept import KeptListings, discard, kept_in

Kind = Literal["member", "enrollment", "path"]
_ENDPOINT: dict[Kind, Literal["users", "enrollments", "path_enrollments"]] = {
    "member": "users",
    "enrollment": "enrollments",
    "path": "path_enrollments",
}
Told = Callable[[LearnUpon, Listed], None]
"""Is told what is still to be read of a portal, and raises when that must not begin; called by several threads."""


class Portals:
    """The LearnUpon side of a run: one client a portal."""

    def __init__(self, job: Job) -> None:
        """Make the clients; nothing is sent yet."""
        self._job = job
        self._clients = [
            LearnUpon(portal, clock=job.clock, random=job.random, transport=job.transport) for portal in job.portals
        ]
        self.warnings: list[str] = []
        self._kept = [_kept(job, portal) for portal in job.portals] if job.backfill and job.writes else []

    @property
    def calls(self) -> int:
        """Return how many requests were sent to all portals."""
        return sum(client.calls for client in self._clients)

    @property
    def week_left(self) -> int | None:
        """Return the least that any portal says is left of its week's requests; None when none says."""
        return min(
            (client.rate.week_left for client in self._clients if client.rate.week_left is not None), default=None
        )

    def close(self) -> None:
        """Close all connections."""
        for client in self._clients:
            client.close()

    def _check(self) -> None:
        for client in self._clients:
            self.warnings.extend(check_portal(client))

    def read(self, folder: Path, told: Told) -> list[PortalRead]:
        """Read every portal completely, or raise: nothing may be concluded from a part.

        Each portal is seen to be the pinned one before anything else is asked of any. `told` learns of each how much
        there is to read before that begins.
        """
        self._check()
        places = range(len(self._clients))
        with self._job.decoders or decoders() as cores, threads(len(self._clients), self._job.stop) as pool:
            jobs = [pool.submit(self._read, place, folder / str(place), told, cores) for place in places]
            found = first_failure(jobs)
        if all(read is None for read in found):
            raise UsageFault("no portal lists this learner: give --learner a user id or e-mail address that one lists")
        reads = [read or nobody(portal, folder) for read, portal in zip(found, self._job.portals, strict=True)]
        for read in reads:
            self.warnings.extend(read.warnings)
        resumed = sum(kept.found for kept in self._kept)
        if resumed:
            self.warnings.append(f"{resumed:,} listings were taken from the same backfill, which had been stopped")
        return reads

    def _read(self, place: int, folder: Path, told: Told, cores: Cores) -> PortalRead | None:
        """Read one portal; None when it does not list the one learner asked for."""
        client, job = self._clients[place], self._job
        task = job.progress.task(f"pages of {job.portals[place].name}")
        listed = partial(told, client)
        if job.backfill is None:
            return read_portal(client, folder, progress=task.update, told=listed, cores=cores)
        kept = self._kept[place] if job.writes else None
        scope = job.backfill
        try:
            return read_scope(
                client,
                folder,
                course=scope.course,
                learner=scope.learner,
                progress=task.update,
                kept=kept,
                told=listed,
                cores=cores,
            )
        except UnknownLearner:
            return None

    def forget(self) -> None:
        """Throw away what was kept for going on with a stopped backfill: it has been written."""
        for kept in self._kept:
            kept.forget()

    def ask(self, kind: Kind, codes: pd.Series, reads: list[PortalRead]) -> frozenset[int]:
        """Ask about rows by id; live ones join the reads, the codes of those that are gone are returned."""
        gone: set[int] = set()
        for place, ids in _by_place(codes).items():
            answer = confirm(self._clients[place], _ENDPOINT[kind], ids)
            gone.update((pd.Series(sorted(answer.gone), dtype="int64") + place * keys.PLACE).tolist())
            if answer.alive.num_rows:
                reads[place] = joined(reads[place], kind, answer.alive)
        return frozenset(gone)


def _kept(job: Job, portal: PortalSettings) -> KeptListings:
    return KeptListings(_kept_in(job, portal), job.clock.now())


def _kept_in(job: Job, portal: PortalSettings) -> Path:
    """Return where a backfill of this scope keeps what it reads; the rows' dates do not change the reading."""
    scope = job.backfill or Backfill()
    return kept_in(job.settings.state_dir, portal.portal_id, f"{portal.url} {scope.course} {scope.learner}")


def outdate(job: Job) -> None:
    """Throw away what stopped backfills have kept of these portals: this run is about to write newer values.

    The very backfill that goes on from its own listings leaves them, to go on from them once more.
    """
    mine = [_kept_in(job, portal) for portal in job.portals] if job.backfill else []
    discard(job.settings.state_dir, job.portal_ids, spare=mine)


def nobody(portal: PortalSettings, folder: Path) -> PortalRead:
    """Return the read of a portal that does not list the learner of a backfill: nothing."""
    place = folder / f"nobody-{portal.portal_id}"
    return PortalRead(
        name=portal.name,
        portal_id=portal.portal_id,
        title=portal.title,
        users=frames.empty(frames.USERS),
        courses=frames.empty(frames.COURSES),
        paths=frames.empty(frames.PATHS),
        path_courses=frames.empty(frames.PATH_COURSES),
        enrollments=Park(place / "enrollments", frames.ENROLLMENTS),
        path_enrollments=Park(place / "path_enrollments", frames.PATH_ENROLLMENTS),
    )


def _by_place(codes: pd.Series) -> Mapping[int, list[int]]:
    places = keys.places(codes)
    return {int(place): keys.lu_ids(codes[places == place]).tolist() for place in sorted(places.unique())}


def joined(read: PortalRead, kind: Kind, alive: pa.Table) -> PortalRead:
    """Return a read with rows that the listing lacked but LearnUpon has."""
    if kind == "member":
        return replace(read, users=pd.concat([read.users, frames.to_pandas(alive)], ignore_index=True))
    (read.enrollments if kind == "enrollment" else read.path_enrollments).append(alive)
    return read


def listed_paths(reads: Iterable[PortalRead]) -> pd.Index[int]:
    """Return the paths (codes) that the portals list."""
    parts = [keys.codes(place, read.paths["path_id"]).to_numpy() for place, read in enumerate(reads)]
    return pd.Index(np.concatenate(parts))


def coded_courses(reads: Iterable[PortalRead]) -> pd.DataFrame:
    """Return the courses of paths of all portals: place, path (code), course_id, course_source_id."""
    parts = [
        read.path_courses.assign(place=place, path=keys.codes(place, read.path_courses["path_id"]))
        for place, read in enumerate(reads)
    ]
    return pd.concat(parts, ignore_index=True)
