"""Bugs in what is kept on the disk and who may write when: files, journals, leases; a list, no logic."""

from __future__ import annotations

from mutants.mutant import Mutant

_HISTORY = "etl/state/history.py"
_STATE = "edges/test_state.py"

MUTANTS = (
    Mutant(
        id="file-written-in-place",
        bug="A file is written where it belongs, piece by piece.",
        file="etl/state/rundir.py",
        source='                with os.fdopen(descriptor, "wb") as file:',
        planted='                os.close(descriptor)\n                with path.open("wb") as file:',
        tests=(f"{_STATE}::test_a_file_appears_whole_or_not_at_all",),
    ),
    Mutant(
        id="torn-line-read",
        bug="The last line of a journal is read although it was never finished.",
        file="etl/state/journal.py",
        source='lines = self.path.read_bytes().split(b"\\n")[:-1]',
        planted='lines = self.path.read_bytes().split(b"\\n")',
        tests=(f"{_STATE}::test_a_torn_last_line_is_ignored_and_the_next_record_is_whole",),
    ),
    Mutant(
        id="torn-line-continued",
        bug="A journal goes on in the middle of a line that was never finished.",
        file="etl/state/journal.py",
        source="    if end < size:\n        os.ftruncate(descriptor, end)\n    return end",
        planted="    return end",
        tests=(f"{_STATE}::test_a_torn_last_line_is_ignored_and_the_next_record_is_whole",),
    ),
    Mutant(
        id="running-run-pruned",
        bug="The folder of a run that is still at work is removed.",
        file=_HISTORY,
        source="        if Journal(folder / JOURNAL).is_unfinished or is_alive(folder):",
        planted="        if Journal(folder / JOURNAL).is_unfinished:",
        tests=("edges/test_state_history.py::test_prune_keeps_what_may_still_be_needed",),
    ),
    Mutant(
        id="unfinished-run-pruned",
        bug="The journal of a job whose end is not known is removed.",
        file=_HISTORY,
        source="        if Journal(folder / JOURNAL).is_unfinished or is_alive(folder):",
        planted="        if is_alive(folder):",
        tests=("edges/test_state_history.py::test_prune_keeps_what_may_still_be_needed",),
    ),
    Mutant(
        id="readable-by-others",
        bug="Files of a run can be read by everybody on the machine.",
        file="etl/state/disk.py",
        source="    os.fchmod(descriptor, 0o600)\n",
        planted="    os.fchmod(descriptor, 0o644)\n",
        tests=(f"{_STATE}::test_everything_left_behind_is_for_its_owner_alone",),
    ),
    Mutant(
        id="lost-creation-settled",
        bug="A run that died while it asked for a job is taken for finished.",
        file="etl/state/journal.py",
        source="        return names[-1:] == [_CREATING] or bool(self.unfinished_jobs())",
        planted="        return bool(self.unfinished_jobs())",
        tests=("edges/test_state_history.py::test_only_runs_that_may_have_left_a_job_are_unfinished",),
    ),
    Mutant(
        id="lease-margin-zero",
        bug="A lease is free as soon as its holder is a moment silent.",
        file="etl/salesforce/lease.py",
        source="MARGIN = timedelta(minutes=10)",
        planted="MARGIN = timedelta(minutes=0)",
        tests=("runs/test_lease.py::test_a_living_holder_is_left_in_peace",),
    ),
    Mutant(
        id="refused-beat-counts",
        bug="A sign of life that Salesforce refuses counts as one given.",
        file="etl/salesforce/lease.py",
        source="            if refused:\n                raise Unavailable(",
        planted="            if lost:\n                raise Unavailable(",
        tests=("runs/test_lease_log.py::test_a_refused_sign_of_life_is_none",),
    ),
    Mutant(
        id="lease-by-own-clock",
        bug="Whether a holder is dead is judged by this machine's clock.",
        file="etl/salesforce/lease.py",
        source="        now = self.org.server_time()\n        living",
        planted="        now = self.org.clock.now()\n        living",
        tests=("runs/test_lease.py::test_only_the_time_of_salesforce_counts",),
    ),
    Mutant(
        id="lease-not-made",
        bug="A lease that somebody else holds is no reason to stop.",
        file="etl/salesforce/lease.py",
        source="        if living:\n            raise LockHeld(held_by(living[0]))",
        planted="        if living:\n            self.ids = [one.id for one in wanted]\n            return True",
        tests=("runs/test_lease.py::test_a_living_holder_is_left_in_peace",),
    ),
    Mutant(
        id="lost-lease-goes-on",
        bug="A run whose lease was taken over goes on writing.",
        file="etl/stages/tenure.py",
        source="        if event in _WRITING_STEPS:\n            self._tenure.check()\n",
        planted="",
        tests=("runs/test_lease_log.py::test_a_run_that_slept_asks_before_it_writes",),
    ),
    Mutant(
        id="history-gone-with-the-clock",
        bug="A clock that has jumped ahead takes the history with it.",
        file="etl/lifecycle.py",
        source="    now = min(moment for moment in (job.clock.now(), record.server_time) if moment)",
        planted="    now = job.clock.now()",
        tests=("runs/test_state_faults.py::test_a_clock_that_jumps_changes_nothing",),
    ),
    Mutant(
        id="report-decides-the-outcome",
        bug="A report that the disk does not take makes a run fail that went well.",
        file="etl/lifecycle.py",
        source="        except StateFault as fault:\n            if not missing:",
        planted="        except StateFault as fault:\n            raise\n            if not missing:",
        tests=("runs/test_state_disk.py::test_a_report_that_cannot_be_written_does_not_change_the_outcome",),
    ),
    Mutant(
        id="other-version-is-a-baseline",
        bug="A state file of another form is taken for one of this version.",
        file="etl/state/scopes.py",
        source='if isinstance(data, dict) and data.get("format") == _FORMAT else None',
        planted="if isinstance(data, dict) else None",
        tests=("core/test_scope.py::test_a_file_of_another_version_is_nothing",),
    ),
    Mutant(
        id="signal-during-the-report",
        bug="A signal cuts the writing of the report short.",
        file="etl/interrupt.py",
        source="        if self._held:\n            self.noted = signum\n            return\n",
        planted="",
        tests=("runs/test_signals.py::test_a_signal_stops_a_run_cleanly[its end]",),
    ),
)
