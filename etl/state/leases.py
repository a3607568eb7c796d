"""Which leases the runs of this state folder asked for, so that those of a run that died are known; it takes none.

The lock of the folder is what makes that sure: whoever holds it knows that no earlier run of the folder is at work.
"""

from __future__ import annotations

from pathlib import Path

from etl.state.history import run_folder
from etl.state.journal import Journal
from etl.state.rundir import JOURNAL

LEASE_WANTED = "lease_wanted"
"""Event of a journal, with the lease's `token`, before it is asked for."""


def asked_for_lease(state_dir: Path, run_id: str, token: str) -> bool:
    """Say whether a run of this folder asked for the lease of this token."""
    folder = run_folder(state_dir, run_id)
    if folder is None or not token:
        return False
    return any(
        event["event"] == LEASE_WANTED and event.get("token") == token for event in Journal(folder / JOURNAL).events()
    )
