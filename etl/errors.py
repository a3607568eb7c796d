"""The exception tree: what stops a run, and the exit code it ends with; it decides nothing and prints nothing.

    SyncError
    ├── UsageFault            64  wrong usage of the command line
    ├── ConfigFault           78  configuration wrong or unreadable
    │   ├── WrongTarget       78  the org or the portal is not the pinned one
    │   └── SchemaMismatch    78  objects or fields missing or of a type that cannot hold the value
    ├── SourceUntrusted       65  LearnUpon's answers cannot be trusted
    ├── Unavailable           69  LearnUpon or Salesforce unavailable, after retries
    ├── AccessRefused         77  credentials or permissions refused
    ├── GuardTripped           3  a guard stopped the run
    ├── StateFault            74  local disk or state failure
    ├── TryLater              75
    │   ├── LockHeld          75  another run holds the lock
    │   ├── QuotaSpent        75  an API allowance is (nearly) gone
    │   └── OutcomeUnknown    75  a job's outcome is not known yet; its id is named
    ├── Interrupted      130, 143  SIGINT, SIGTERM
    └── Bug                   70  a mistake of ours

Exit code 1 (rows refused) and 2 (`plan --detailed-exitcode`) are results, not errors; 70 is also every
exception not named here.
"""

from __future__ import annotations

import signal
from typing import ClassVar

OK = 0
ROWS_REFUSED = 1
CHANGES_PLANNED = 2
BUG = 70


class SyncError(Exception):
    """A stop that a person can act on: the message says what happened, with numbers, and what to do next."""

    exit_code: ClassVar[int] = BUG
    outcome: ClassVar[str] = "failed"


class UsageFault(SyncError):
    """The command line was used wrongly."""

    exit_code = 64
    outcome = "usage"


class ConfigFault(SyncError):
    """The configuration is wrong or unreadable; `faults` holds one line for each fault, with its place."""

    exit_code = 78
    outcome = "configuration"

    def __init__(self, message: str, faults: tuple[str, ...] = ()) -> None:
        """Keep the single faults beside the message."""
        super().__init__(message)
        self.faults = faults


class WrongTarget(ConfigFault):
    """The org or the portal that answered is not the pinned one."""

    outcome = "wrong_target"


class SchemaMismatch(ConfigFault):
    """An object or field is missing in the org, or cannot hold what must be written."""

    outcome = "schema"


class SourceUntrusted(SyncError):
    """LearnUpon answered something other than what was asked: nothing may be concluded from it."""

    exit_code = 65
    outcome = "untrusted"


class Unavailable(SyncError):
    """LearnUpon or Salesforce did not answer usefully within the allowed attempts."""

    exit_code = 69
    outcome = "unavailable"


class AccessRefused(SyncError):
    """Credentials or permissions were refused."""

    exit_code = 77
    outcome = "refused"


class GuardTripped(SyncError):
    """A guard stopped the run before the first write."""

    exit_code = 3
    outcome = "guard"


class StateFault(SyncError):
    """The local disk or the state folder failed, or a process of our own was lost (memory)."""

    exit_code = 74
    outcome = "state"


class TryLater(SyncError):
    """Nothing is wrong, but not now."""

    exit_code = 75
    outcome = "later"


class LockHeld(TryLater):
    """Another run holds the lock."""

    outcome = "locked"


class QuotaSpent(TryLater):
    """An API allowance is gone, or would be."""

    outcome = "quota"


class OutcomeUnknown(TryLater):
    """A job in Salesforce has not ended in time; its id is in the message and the next run adopts it."""

    outcome = "unknown"


class Interrupted(SyncError):
    """SIGINT or SIGTERM: the run stopped cleanly."""

    outcome = "interrupted"

    def __init__(self, signum: int) -> None:
        """Remember which signal, since the exit code is 128 + its number."""
        super().__init__(f"interrupted by {signal.Signals(signum).name}: stopped cleanly, run again to go on")
        self.signum = signum


class RetryableAnswer(Exception):
    """One attempt failed in a way that another may mend; `final` is what to raise when none did."""

    def __init__(self, what: str, *, retry_after_s: float | None = None, final: SyncError | None = None) -> None:
        """Say what came instead of an answer, in words fit for a log."""
        super().__init__(what)
        self.retry_after_s = retry_after_s
        self.final = final


class Bug(SyncError):
    """The program has made a mistake: seen by a check of its own, or the cause is an exception that nobody foresaw."""

    outcome = "bug"


def bug_of(unforeseen: BaseException) -> Bug:
    """Return the Bug that an exception is the cause of; its own words may hold values, so only its type is told."""
    bug = Bug(f"this is a bug in learnupon-sync ({type(unforeseen).__name__}): the traceback is in the log")
    bug.__cause__ = unforeseen
    return bug


def exit_code_of(error: BaseException) -> int:
    """Return the exit code an error ends the program with; anything not in the tree is a bug (70)."""
    if isinstance(error, Interrupted):
        return 128 + error.signum
    return error.exit_code if isinstance(error, SyncError) else BUG
