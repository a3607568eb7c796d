"""Whose turn it was to write: who held the lease, by the ledger, and who wrote, by the journals; it starts nothing."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

from runs.result import RUN_LOG
from runs.stage import Stage

from etl.emulator.ledger import Entry
from etl.state.journal import Journal
from etl.state.rundir import JOURNAL

_PREFIX = "lease:"


def turns(stage: Stage) -> dict[str, tuple[int, int]]:
    """Return the numbers of the ledger's entries with which each run got the lease and gave it back, by run id.

    AssertionError when two runs held any of it at the same time, when one got it twice, and when it is held still.
    """
    held: dict[str, str] = {}
    began: dict[str, int] = {}
    found: dict[str, tuple[int, int]] = {}
    for entry in stage.ledger.entries:
        key = entry.key or ""
        if entry.object != RUN_LOG or not key.startswith(_PREFIX):
            continue
        if entry.operation == "create":
            run = entry.after["Run_Id__c"]
            assert {*held.values()} <= {run}, f"{run} got {key} while {held} was held"
            assert run not in found, f"{run} got the lease a second time"
            held[key] = run
            began.setdefault(run, entry.seq)
        elif entry.operation == "delete":
            run = held.pop(key)
            if not held:
                found[run] = (began[run], entry.seq)
    assert held == {}, f"never given back: {held}"
    return found


def written(stage: Stage, folders: Iterable[Path]) -> dict[str, list[Entry]]:
    """Return all effects on rows, by the id of the run whose journal, in one of these state folders, names their job.

    KeyError when an effect is nobody's.
    """
    whose = {
        event["job"]: path.parent.name
        for folder in folders
        for path in folder.glob(f"runs/*/{JOURNAL}")
        for event in Journal(path).events()
        if event["event"] == "job_created"
    }
    found = defaultdict[str, list[Entry]](list)
    for entry in stage.ledger.entries:
        if entry.object != RUN_LOG:
            found[whose[str(entry.job_id)]].append(entry)
    return found
