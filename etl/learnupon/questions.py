"""Questions by id about rows that a full listing lacked: absence from a listing alone proves nothing.

Sources: LearnUpon API documentation (`GET /users/{id}`, `/enrollments/{id}`, `/learning_path_enrollments/{id}`; the
envelopes are those of the lists); clients in the field met both a 404 and an empty list for what was deleted.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import pyarrow as pa

from etl.errors import SourceUntrusted
from etl.learnupon import pages
from etl.learnupon.client import MISSING, LearnUpon
from etl.learnupon.workers import run_all

_log = logging.getLogger("etl.learnupon")
Kind = Literal["users", "enrollments", "path_enrollments"]
_ASKED: dict[Kind, tuple[str, pages.Sheet[Any]]] = {
    "users": ("users", pages.USERS),
    "enrollments": ("enrollments", pages.ENROLLMENTS),
    "path_enrollments": ("learning_path_enrollments", pages.PATH_ENROLLMENTS),
}


@dataclass(frozen=True)
class Confirmed:
    """What became of the rows asked about."""

    gone: frozenset[int]
    alive: pa.Table
    """The rows that are still there, with the columns of their kind's frame."""


def confirm(client: LearnUpon, kind: Kind, ids: Sequence[int]) -> Confirmed:
    """Ask for every id by itself: a 404 or an empty list means gone, a row means alive.

    Raises SourceUntrusted for a row with another id, Unavailable when a question got no answer: then nothing may be
    concluded about any of them.
    """
    asked = list(dict.fromkeys(ids))
    gone: set[int] = set()
    alive: list[pa.RecordBatch] = []
    client.rate.expect(len(asked))
    jobs = [partial(_ask, client, kind, number, gone, alive) for number in asked]
    run_all(jobs, threads=client.settings.concurrency, stop=client.rate.stop, clock=client.clock, tick=_no_tick)
    if asked:
        _log.info("portal %s: asked about %d missing %s, %d are gone", client.name, len(asked), kind, len(gone))
    schema = _ASKED[kind][1].schema
    return Confirmed(frozenset(gone), pa.Table.from_batches(alive, schema=schema))


def _no_tick() -> None:
    return None


def _ask(client: LearnUpon, kind: Kind, number: int, gone: set[int], alive: list[pa.RecordBatch]) -> None:
    path, sheet = _ASKED[kind]
    answer = client.read(sheet, f"{path}/{number}", {}, missing=MISSING)
    client.rate.met()
    if answer is None or not answer.batch.num_rows:
        gone.add(number)
        return
    found = answer.batch.column(0).to_pylist()
    if found != [number]:
        raise SourceUntrusted(
            f"{answer.where}: {len(found)} rows came, the first with id {found[0]}; one was asked for"
        )
    alive.append(answer.batch)
