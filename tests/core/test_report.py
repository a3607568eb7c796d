"""The report as facts: the contract of report.json, and what the summary tells a person."""

from __future__ import annotations

import dataclasses
import io
import json
from collections.abc import Callable

import pytest
from core import report_samples as samples

from etl.report.markdown import markdown
from etl.report.model import ObjectCounts, Report, from_json, to_json
from etl.report.text import changes_text, text, wants_color

OBJECT_KEYS = [
    "desired", "existing", "create", "update", "delete", "unchanged", "kept", "unconfirmed", "rejected",
    "created", "updated", "deleted", "refused", "unknown",
]  # fmt: skip
ALL = [samples.night, samples.plan, samples.nothing_to_do, samples.guarded, samples.refused, samples.unavailable]


def test_report_json_holds_the_keys_of_the_contract() -> None:
    """Every key of section 8 is there, with its type, and inner objects hold exactly the keys promised."""
    data = json.loads(json.dumps(to_json(samples.night())))
    assert list(data)[:12] == [
        "run_id", "command", "outcome", "exit_code", "started_at", "finished_at", "org_id", "portals", "objects",
        "guards", "api_calls", "jobs",
    ]  # fmt: skip
    assert (data["started_at"], data["finished_at"]) == ("2026-11-22T01:00:00Z", "2026-11-22T01:03:12Z")
    assert data["portals"][0] == {
        "name": "academy", "portal_id": 12345, "learners": 5012, "matched": 4998, "unmatched": 14, "complete": True,
    }  # fmt: skip
    assert all(list(row) == OBJECT_KEYS for row in data["objects"].values())
    assert data["guards"][1] == {
        "name": "max_delete_percent", "value": 0.04, "limit": 5, "tripped": False, "overridden": False,
    }  # fmt: skip
    assert data["api_calls"] == {"learnupon": 412, "salesforce": 46}
    assert data["seconds"] == 192.0


def test_objects_stand_in_the_order_of_the_writes() -> None:
    """Whatever order the counts came in, parents come first and unknown names last: the file is stable."""
    report = samples.night()
    report.objects = dict(reversed(list(report.objects.items()))) | {"Zebra__c": ObjectCounts()}
    assert list(to_json(report)["objects"]) == [*samples.night().objects, "Zebra__c"]


@pytest.mark.parametrize("make", ALL, ids=lambda make: make.__name__)
def test_a_report_survives_its_json(make: Callable[[], Report]) -> None:
    """What is written is what is read again, so that `runs RUN_ID` shows the run as it was."""
    report = make()
    once = to_json(report)
    assert to_json(from_json(json.loads(json.dumps(once)))) == once
    assert text(from_json(once)) == text(report)


@pytest.mark.parametrize("data", [{}, {"run_id": "x", "portals": [{}]}, {"run_id": "x", "objects": []}])
def test_what_is_no_report_is_refused(data: dict[str, object]) -> None:
    """JSON that is not a report is a ValueError, never a half-filled report."""
    with pytest.raises(ValueError, match="not a report"):
        from_json(data)


def test_values_stay_out_of_the_json_unless_shown() -> None:
    """Sampled values are personal data: without show_values only keys and column names are written."""
    hidden, shown = samples.plan(), samples.night()
    assert not {name for row in to_json(hidden)["samples"] for name in row} & {"before", "after"}
    assert samples.HEBREW not in json.dumps(to_json(hidden), ensure_ascii=False)
    assert {"column": "Status__c", "before": "In Progress", "after": "Completed"}.items() <= to_json(shown)["samples"][
        2
    ].items()


@pytest.mark.parametrize("make", ALL, ids=lambda make: make.__name__)
def test_the_samples_add_up(make: Callable[[], Report]) -> None:
    """The sums of section 8 hold in every report these tests look at."""
    assert [fault for row in make().objects.values() for fault in row.faults()] == []


@pytest.mark.parametrize("name", ["desired", "existing", "created", "unknown", "unchanged"])
def test_a_sum_that_is_off_by_one_is_noticed(name: str) -> None:
    """One row too many in any count is a fault in words."""
    row = samples.night().objects["LearnUponContactEnrollment__c"]
    assert dataclasses.replace(row, **{name: getattr(row, name) + 1}).faults()


def test_the_summary_of_a_plan_and_of_a_run_differ_in_tense() -> None:
    """A plan says what is to be done, a run what was done; neither uses the other's words."""
    planned, done = text(samples.plan()), text(samples.night())
    assert "Plan: 228 to create, 758 to update, 10 to delete." in planned
    assert "Done: 228 created, 758 updated, 10 deleted." in done
    assert "Done:" not in planned
    assert "Plan:" not in done


def test_counts_are_aligned_by_object() -> None:
    """One line an object, signs in the same columns, thousands marked."""
    lines = [line for line in text(samples.guarded()).splitlines() if " unchanged" in line]
    assert len(lines) == 8
    assert "LearnUponContactEnrollment__c              +212  ~438  -1,204,331  =10,000,000 unchanged" in lines[3]
    assert len({line.index(" unchanged") for line in lines}) == 1


def test_nothing_to_do_is_one_line() -> None:
    """When Salesforce agrees there is no table, only the sentence."""
    lines = text(samples.nothing_to_do()).splitlines()
    assert lines[0] == "Nothing to do: Salesforce agrees with LearnUpon (35,255 rows compared)."
    assert not any("__c" in line for line in lines)


def test_rejected_rows_are_never_nothing_to_do() -> None:
    """A row that cannot be written is a difference that stays: the summary may not say that all agrees."""
    report = samples.nothing_to_do()
    report.objects["User"].rejected = 2
    assert "Nothing to do" not in text(report) + markdown(report)
    assert "2 rejected" in text(report)


def test_rows_found_unlike_when_read_back_are_shown() -> None:
    """Rows that Salesforce took but holds otherwise are counted among those that did not get in."""
    report = samples.night()
    report.outcome, report.exit_code, report.refused_reasons = "refused", 1, {"read_back": 2}
    assert "Refused: 2 rows" in text(report)
    assert "2 rows did not get in" in markdown(report)


def test_tripped_guards_come_first_with_the_flag_that_lifts_them() -> None:
    """A tripped guard shows value, limit and the exact flag; an overridden one says so; quiet ones are counted."""
    lines = text(samples.guarded()).splitlines()
    guards = [line for line in lines if line.startswith("Guard")]
    assert guards == [
        "Guard max_deletes tripped: 1,204,332 against 500",
        "Guard max_delete_percent tripped: 10.75 % against 5 % (LearnUponContactEnrollment__c)",
        "Guard max_update_percent overridden: 61.2 % against 50 % (User)",
        "Guards: the other 1 within their limits",
    ]
    assert "--allow-deletes 1204332" in lines[lines.index(guards[0]) + 1]


def test_a_stopped_run_says_what_was_written_and_what_to_do() -> None:
    """The first lines of a failure name it, its exit code, whether anything was written, and the next step."""
    head = text(samples.unavailable()).split("\n\n", maxsplit=1)[0]
    assert "(exit 69)" in head
    assert "HTTP 503" in head
    assert "Nothing was written to Salesforce." in head
    assert "Run again later" in head


def test_a_run_that_stopped_half_way_does_not_deny_its_writes() -> None:
    """After some writes a failure says how many rows are in and how many are in doubt."""
    report = samples.night()
    report.exit_code, report.outcome, report.error = 75, "unknown", "job 7505g00000aBcDe has not ended"
    report.objects["User"].updated, report.objects["User"].unknown = 0, 8
    assert "988 rows had been written by then; the outcome of 8 is not known yet." in text(report)


def test_unmatched_and_refused_are_counted_by_reason_most_frequent_first() -> None:
    """Reasons stand in words with their counts, and the list that names each row is named."""
    lines = text(samples.refused()).splitlines()
    place = lines.index("Unmatched: 14 of 5,823 learners, listed in unmatched.csv")
    assert lines[place + 1 : place + 3] == ["  9  no Salesforce id in LearnUpon", "  4  the Contact was deleted"]
    place = lines.index("Refused: 4 rows, each listed in refused.csv")
    assert lines[place + 1 : place + 3] == ["  3  FIELD_CUSTOM_VALIDATION_EXCEPTION", "  1  UNABLE_TO_LOCK_ROW"]


def test_many_warnings_are_counted_not_poured_out() -> None:
    """A person reads ten warnings and how many more there are."""
    report = samples.night()
    report.warnings = [f"warning {number}" for number in range(1234)]
    shown = text(report)
    assert shown.count("Warning: ") == 10
    assert "and 1,224 more warnings in the report" in shown


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("stream", "environ", "wanted"),
    [
        (_Terminal(), {"TERM": "xterm-256color"}, True),
        (_Terminal(), {"TERM": "xterm", "NO_COLOR": "1"}, False),
        (_Terminal(), {"TERM": "xterm", "NO_COLOR": ""}, True),
        (_Terminal(), {"TERM": "dumb"}, False),
        (io.StringIO(), {"TERM": "xterm"}, False),
    ],
)
def test_colours_only_on_a_terminal_that_wants_them(
    stream: io.StringIO, environ: dict[str, str], *, wanted: bool
) -> None:
    """A pipe, NO_COLOR (when not empty, as no-color.org says) and a dumb terminal get plain text."""
    assert wants_color(stream, environ) is wanted


def test_plain_text_has_no_escapes_and_colour_changes_no_word() -> None:
    """Plain output is free of control characters; the coloured one is the same text with styles."""
    plain, colored = text(samples.guarded()), text(samples.guarded(), color=True)
    assert "\x1b" not in plain
    assert "\x1b[" in colored
    assert "\x1b[1;31mmax_deletes tripped\x1b[0m" in colored


def test_vendors_words_cannot_drive_a_terminal() -> None:
    """Escape sequences, line ends, direction marks and markup in foreign text are shown, not obeyed."""
    report = samples.named("evil\x1b[2J\r\nPlan: 0 to create\u202e [red]markup[/red]")
    shown = text(report) + changes_text(report.samples, show_values=True)
    assert "\x1b" not in shown
    assert "\r" not in shown
    assert "\u202e" not in shown
    assert "[red]markup[/red]" in shown
    assert "\nPlan: 0 to create" not in shown


def test_changes_show_old_and_new_values_only_when_asked() -> None:
    """With values each column is `old → new`, blank said as such; without them only the columns are named."""
    shown = changes_text(samples.changes(), show_values=True)
    hidden = changes_text(samples.changes(), show_values=False)
    assert "  ~ 12345:enrollment:77001\n      Status__c          In Progress → Completed" in shown
    assert "      Score__c           (blank) → 87.5" in shown
    assert "  ~ 12345:enrollment:77001  Status__c, Score__c, Date_Completed__c" in hidden
    assert "Completed\n" not in hidden
    assert "  - 12345:enrollment:60911  (unenrolled)" in shown
    assert "  - 12345:enrollment:60911  (unenrolled)" in hidden


def test_markdown_is_a_table_with_a_total() -> None:
    """The Markdown summary has one row an object, a total, and columns only where there is something."""
    lines = markdown(samples.plan()).splitlines()
    assert "| Object | create | update | delete | unchanged | kept | unconfirmed |" in lines
    assert "| **all** | **228** | **758** | **10** | **34,497** | **38** | **3** |" in lines


def test_markdown_shows_foreign_text_as_it_is() -> None:
    """No HTML, link, image, mention or table cell comes out of a vendor's words."""
    report = samples.named("<img src=x> | ![a](https://evil.example.com) @everyone\n# head")
    body = markdown(report)
    assert "<img" not in body.replace("\\<", "")
    assert "](https" not in body
    assert " @everyone" not in body
    assert "\n# head" not in body
