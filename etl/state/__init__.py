"""The state folder on this machine: run folders, journals, the lock and the history; it knows nothing of the vendors.

Without it a run is just as correct: history, resume and undo are what is lost. Folders are made 0700 and files 0600
whatever the umask. Every failure of the disk is a StateFault that names the path and the remedy.
"""

from etl.state.disk import disk, sync_files
from etl.state.history import RunSummary, history, load_report, prune, remove_leftovers, unfinished_journals
from etl.state.journal import JOB_ENDS, Journal
from etl.state.leases import LEASE_WANTED, asked_for_lease
from etl.state.lock import lock
from etl.state.rundir import RunDir, new_run_id

__all__ = [
    "JOB_ENDS",
    "LEASE_WANTED",
    "Journal",
    "RunDir",
    "RunSummary",
    "asked_for_lease",
    "disk",
    "history",
    "load_report",
    "lock",
    "new_run_id",
    "prune",
    "remove_leftovers",
    "sync_files",
    "unfinished_journals",
]
