"""Bugs in what outlives a run: saved plans, and putting a run back; a list, no logic."""

from __future__ import annotations

from mutants.mutant import Mutant

_SAVED = "etl/state/saved.py"
_ACCEPT = "etl/stages/saved.py"
_UNDOING = "etl/undoing.py"
_REFUSED = "runs/test_saved_plan_refused.py"
_UNDO = "core/test_undoing.py"

MUTANTS = (
    Mutant(
        id="old-plan-applied",
        bug="A saved plan is applied however old it is.",
        file=_ACCEPT,
        source="    if age > max_age:",
        planted="    if age > max_age * 1000:",
        tests=(f"{_REFUSED}::test_an_old_plan_is_refused",),
    ),
    Mutant(
        id="plan-of-another-org",
        bug="A plan of the sandbox is applied to production.",
        file=_ACCEPT,
        source="    if facts.org_id[:_ORG_ID] != settings.salesforce.org_id[:_ORG_ID]:",
        planted="    if not facts.org_id:",
        tests=(f"{_REFUSED}::test_a_plan_of_another_org_is_refused",),
    ),
    Mutant(
        id="edited-rows-applied",
        bug="Rows of a saved plan that somebody edited are applied.",
        file=_SAVED,
        source="                if copy_new(rows / name, into / name) != seen:",
        planted="                if not copy_new(rows / name, into / name):",
        tests=(f"{_REFUSED}::test_a_plan_that_is_not_as_it_was_saved_is_refused",),
    ),
    Mutant(
        id="edited-manifest-applied",
        bug="A manifest that somebody edited is taken.",
        file="etl/state/sealed.py",
        source="    if seen != fingerprint(manifest):",
        planted="    if not seen:",
        tests=(f"{_REFUSED}::test_a_plan_that_is_not_as_it_was_saved_is_refused",),
    ),
    Mutant(
        id="plan-applied-twice",
        bug="A plan can be applied again and again.",
        file=_ACCEPT,
        source="    saved.claim(job.run_id, job.clock.now())\n",
        planted="",
        tests=(f"{_REFUSED}::test_a_plan_is_applied_once",),
    ),
    Mutant(
        id="plan-copied-and-applied-twice",
        bug="A copy of a plan's folder can be applied once more.",
        file=_SAVED,
        source='event["event"] == CLAIMED and event.get("plan") == self.sha256',
        planted='event["event"] == CLAIMED and event.get("plan") == str(self.folder)',
        tests=(f"{_REFUSED}::test_a_plan_is_applied_once",),
    ),
    Mutant(
        id="changed-rows-overwritten",
        bug="A plan is applied to rows that somebody has changed since.",
        file="etl/stages/unchanged.py",
        source='        since.add("changed", changes.updates[key])\n',
        planted="",
        tests=(f"{_REFUSED}::test_rows_changed_since_stop_the_apply",),
    ),
    Mutant(
        id="undo-overwrites-people",
        bug="What somebody changed after the run is put back, too.",
        file=_UNDOING,
        source="            back = was_sent & ~not_written & not_before",
        planted="            back = was_sent & not_before",
        tests=(f"{_UNDO}::test_a_field_that_was_changed_since_is_left",),
    ),
    Mutant(
        id="undo-puts-back-everything",
        bug="Fields that the run did not send are put back, too.",
        file=_UNDOING,
        source="            was_sent = sent >> bit & 1 == 1\n",
        planted="            was_sent = sent == sent\n",
        tests=(f"{_UNDO}::test_a_field_that_holds_what_was_written_gets_its_old_value",),
    ),
    Mutant(
        id="undo-makes-second-rows",
        bug="A deleted row that is there again is made once more.",
        file=_UNDOING,
        source="        anew = self._deleted[~is_in(self._deleted[key], now[key])]\n",
        planted="        anew = self._deleted\n",
        tests=(f"{_UNDO}::test_a_deleted_row_is_made_anew_with_every_field",),
    ),
    Mutant(
        id="undo-of-a-torn-copy",
        bug="A copy that is torn is put back as far as it goes.",
        file="etl/state/copies.py",
        source="                if not there or hash_of(path) != seen:",
        planted="                if not there:",
        tests=("runs/test_undo_refused.py::test_a_damaged_copy_is_refused",),
    ),
    Mutant(
        id="undo-of-a-running-run",
        bug="A run is put back while it is at work.",
        file="etl/stages/restore.py",
        source="    if is_alive(folder):\n        raise",
        planted="    if not folder.name:\n        raise",
        tests=("runs/test_undo_refused.py::test_a_run_that_is_still_at_work_is_refused",),
    ),
    Mutant(
        id="undo-of-another-plan",
        bug="After the question other rows are written than were shown.",
        file="etl/stages/restore.py",
        source="        if shown.plan and shown.plan != seen:",
        planted="        if shown.plan and not seen:",
        tests=("runs/test_undo_asking.py::test_rows_that_change_before_the_answer_are_not_written",),
    ),
)
