"""The scope of a run as hashes: what changes them, what does not, and what is said of a difference."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from config_files import settings

from etl import scope
from etl.scope import Kept
from etl.state import scopes
from etl.state.scopes import FILE

NOW = datetime(2026, 11, 22, 1, tzinfo=UTC)
ORG = "00D5g00000EMULATE"


def _parts(folder: Path, *changes: tuple[str, Any]) -> scope.Parts:
    return scope.of_run(settings(folder, *changes), [1, 2], with_profiles=True)["1"]


@pytest.mark.parametrize(
    ("section", "value", "changed"),
    [
        ("matching", {"email": "unique"}, ["matching.email"]),
        ("matching", {"both_ids": "user"}, ["matching.both_ids"]),
        ("rules", {"finished_statuses": ["passed"]}, ["rules.finished_statuses"]),
        ("rules", {"path_done_statuses": ["passed"]}, ["rules.path_done_statuses"]),
        ("rules", {"status_labels": {"in_progress": "Busy"}}, ["rules.status_labels"]),
        ("rules", {"status_labels": {"waitlisted": "Waiting"}}, ["rules.status_labels"]),
        ("rules", {"status_labels": {"waitlisted": "Waitlisted"}}, []),
        ("rules", {"finished_statuses": ["failed", "passed", "completed", "failed"]}, []),
        ("rules", {"status_labels": {"not_started": "Not Started"}}, []),
        ("guards", {"max_deletes": 1}, []),
        ("report", {"keep_days": 1}, []),
    ],
)
def test_what_is_a_change(tmp_path: Path, section: str, value: dict[str, Any], changed: list[str]) -> None:
    """Each section that decides which rows are wanted is named when its meaning changes, and no other setting is."""
    last = scope.keep(_parts(tmp_path), "run", NOW)
    assert scope.differences(_parts(tmp_path, (section, value)), last) == changed


def test_several_changes_are_all_named(tmp_path: Path) -> None:
    """Everything that changed is named, in the order of the settings."""
    last = scope.keep(_parts(tmp_path), "run", NOW)
    now = _parts(tmp_path, ("matching", {"email": "unique"}), ("rules", {"finished_statuses": ["passed"]}))
    assert scope.differences(now, last) == ["matching.email", "rules.finished_statuses"]


def test_a_scope_fits_the_run_object(tmp_path: Path) -> None:
    """Fingerprint and digest fit fields of 40 characters."""
    kept = scope.keep(_parts(tmp_path), "run", NOW)
    assert max(len(kept.fingerprint), len(kept.digest)) <= 40


def test_an_unknown_form_is_a_change(tmp_path: Path) -> None:
    """A digest of another version, or one that was tampered with, is a change, though nobody can say of what."""
    parts = _parts(tmp_path)
    now = scope.keep(parts, "run", NOW)
    assert "another version" in scope.differences(parts, Kept("run", NOW, "0" * 40, "abc"))[0]
    assert scope.differences(parts, Kept("run", NOW, "0" * 40, now.digest)) == ["the rules"]


def test_only_runs_of_all_portals_know_the_list_of_them(tmp_path: Path) -> None:
    """The list of portals is part of the profiles' scope alone, whatever its order."""
    some = scope.of_run(settings(tmp_path), [1], with_profiles=False)
    both, other = (scope.of_run(settings(tmp_path), ids, with_profiles=True) for ids in ([1, 2], [2, 1]))
    assert (set(some), set(both), both) == ({"1"}, {"1", "2", "profiles"}, other)
    last = scope.keep(both["profiles"], "run", NOW)
    now = scope.of_run(settings(tmp_path), [1, 2, 3], with_profiles=True)
    assert scope.differences(now["profiles"], last) == ["portals"]


def test_the_file_is_read_whole_or_not_at_all(tmp_path: Path) -> None:
    """Cut at any byte it holds nothing, or all of it; what is written next is whole again."""
    kept = {key: Kept(f"run {key}", NOW + timedelta(seconds=n), "f" * 40, "d" * 35) for n, key in enumerate("12")}
    scopes.write_scopes(tmp_path, ORG, kept)
    scopes.write_scopes(tmp_path, "other org", {"1": kept["2"]})
    assert scopes.read_scopes(tmp_path, ORG, "123") == kept
    whole = (tmp_path / FILE).read_bytes()
    for end in range(len(whole) - 1):
        (tmp_path / FILE).write_bytes(whole[:end])
        assert scopes.read_scopes(tmp_path, ORG, "12") in ({}, kept)
    scopes.write_scopes(tmp_path, ORG, kept)
    assert scopes.read_scopes(tmp_path, ORG, "12") == kept
    assert [path.name for path in tmp_path.iterdir()] == [FILE]


@pytest.mark.parametrize(
    "text",
    [
        "[]", "null", '{"format": 99, "orgs": {}}', '{"format": 1, "orgs": {"ORG": {"1": 5, "2": null}}}',
        '{"format": 1, "orgs": {"ORG": [1]}}', '{"format": 1, "orgs": {"ORG": {"1": {"kept_at": "soon"}}}}', "\x00",
    ],
)  # fmt: skip
def test_another_form_is_nothing(tmp_path: Path, text: str) -> None:
    """A file of another form holds nothing, whatever it says."""
    (tmp_path / FILE).write_text(text.replace("ORG", ORG), encoding="utf-8")
    assert scopes.read_scopes(tmp_path, ORG, "12") == {}


def test_a_file_of_another_version_is_nothing(tmp_path: Path) -> None:
    """What another version wrote may mean something else, however much it looks like ours."""
    scopes.write_scopes(tmp_path, ORG, {"1": Kept("run 1", NOW, "f" * 40, "d" * 35)})
    whole = (tmp_path / FILE).read_text(encoding="utf-8")
    (tmp_path / FILE).write_text(whole.replace('"format": 1', '"format": 2'), encoding="utf-8")
    assert scopes.read_scopes(tmp_path, ORG, "1") == {}
