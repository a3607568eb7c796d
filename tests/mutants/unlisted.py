"""Bugs in what becomes of rows that LearnUpon has but does not list, and of what was not asked about; a list."""

from __future__ import annotations

from mutants.mutant import Mutant

MUTANTS = (
    Mutant(
        id="cut-label-unfinished",
        bug="A finished row whose label the field has cut is deleted once it is gone.",
        file="etl/rows.py",
        source="for text in texts | cut)",
        planted="for text in texts)",
        tests=("runs/test_rule_gone.py::test_a_finished_label_that_was_cut_is_still_finished",),
    ),
    Mutant(
        id="archived-path-of-nothing",
        bug="A path that LearnUpon does not list is taken for one without courses.",
        file="etl/decide.py",
        source="    if not where.any():",
        planted="    if where is not None:",
        tests=("runs/test_unlisted.py::test_an_archived_path_keeps_its_numbers",),
    ),
    Mutant(
        id="unconfirmed-is-uncounted",
        bug="A row that nobody asked about yet drops out of the totals.",
        file="etl/planning.py",
        source='if row == "enrollment" and len(unconfirmed):',
        planted='if row == "path" and len(unconfirmed):',
        tests=("runs/test_unlisted.py::test_a_row_that_nobody_asked_about_still_counts",),
    ),
    Mutant(
        id="backfill-counts-the-listed",
        bug="A backfill counts only what LearnUpon lists, and lowers totals.",
        file="etl/settle.py",
        source='if self._inputs.scope and self._row == "enrollment":',
        planted='if self._inputs.scope and self._row == "path":',
        tests=("runs/test_unlisted.py::test_a_backfill_lowers_no_totals",),
    ),
    Mutant(
        id="same-questions-every-night",
        bug="The first missing rows are asked about every night, the rest never.",
        file="etl/stages/judge.py",
        source="asked[(random.randrange(total) + np.arange(room)) % total] = True",
        planted="asked[:room] = True",
        tests=("runs/test_unlisted.py::test_questions_come_round_to_every_row",),
    ),
    Mutant(
        id="missing-is-news-for-ever",
        bug="What a person accepted as missing stops the next run again.",
        file="etl/stages/judge.py",
        source="[~codes.isin(self._known[kind])]",
        planted="",
        tests=("runs/test_unlisted.py::test_what_was_accepted_once_stops_no_later_run",),
    ),
    Mutant(
        id="percent-rounded",
        bug="A guard compares a rounded percentage with its limit.",
        file="etl/guards.py",
        source="return 100.0 * part / whole if whole else 0.0",
        planted="return round(100.0 * part / whole, 2) if whole else 0.0",
        tests=("core/test_diff.py::test_guards_trip_above_their_limit",),
    ),
)
