"""Bugs in what is told, to whom, and whether the program listens when it is told something; a list, no logic."""

from __future__ import annotations

from mutants.mutant import Mutant

MUTANTS = (
    Mutant(
        id="quiet-nights-are-silent",
        bug="With -q rows that were never sent leave no word on standard error.",
        file="etl/commands/running.py",
        source="    if report.exit_code == ROWS_REFUSED:\n        head",
        planted="    if report.exit_code == ROWS_REFUSED and report.totals.refused:\n        head",
        tests=("runs/test_quiet.py::test_rows_that_were_never_sent_are_one_line",),
    ),
    Mutant(
        id="question-deaf-to-signals",
        bug="SIGTERM is not heard while undo waits for an answer.",
        file="etl/commands/undo.py",
        source="        app.signals.release()",
        planted="        app.signals.hold()",
        tests=("runs/test_undo_asking.py::test_a_signal_ends_the_question",),
    ),
    Mutant(
        id="imports-swallow-signals",
        bug="A signal that comes while an extension module is imported is lost.",
        file="etl/cli.py",
        source="        with _app(ctx).signals.held():\n    ",
        planted="",
        tests=("core/test_cli_process.py::test_a_signal_that_an_import_swallows_is_heard_behind_it",),
    ),
    Mutant(
        id="swallowed-signals-are-lost",
        bug="A signal is never raised again, whoever swallowed it.",
        file="etl/interrupt.py",
        source="        self.noted = signum\n",
        planted="        self.noted = signum if self._held else None\n",
        tests=("core/test_cli_process.py::test_a_signal_that_was_swallowed_is_raised_again",),
    ),
    Mutant(
        id="half-written-files-stay",
        bug="What a run that died was writing beside a file stays for ever.",
        file="etl/lifecycle.py",
        source="            orgfile.remove_unfinished(state)\n",
        planted="            pass\n",
        tests=("runs/test_state_faults.py::test_what_a_dead_run_was_writing_is_removed_by_the_next_that_writes",),
    ),
    Mutant(
        id="listeners-waited-for-in-full",
        bug="Who is told to stop waits in full for a listener that is silent.",
        file="etl/notify.py",
        source="            with self._signals.cutting():\n                self._try(what, tell)\n",
        planted="            self._try(what, tell)\n",
        tests=("runs/test_signals.py::test_listeners_that_are_silent_at_the_end_hold_no_run_up",),
    ),
)
