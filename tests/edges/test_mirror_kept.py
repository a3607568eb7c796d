"""The mirror on the disk: whole or not there, private, and of this org, user, program and set of portals only."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from mirror_checks import by_mirror, last_night, same, why
from mirrored import OURS, PORTAL, ROWS, Observatory, happen, rows_of
from salesforce_kit import START

from etl.normalise import Shape
from etl.schema import ENTITIES
from etl.state.mirror import Identity, read_mirror, write_mirror

_NAMES = [entity.name for entity in ENTITIES]


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Observatory]:
    """An org with some rows that was read last night, and a full read is not due."""
    with last_night(tmp_path) as made:
        yield made


def _cut(lab: Observatory) -> None:
    path = lab.files()[0]
    path.write_bytes(path.read_bytes()[:-9])


def _edit(lab: Observatory) -> None:
    path = next(one for one in lab.files() if ROWS in one.parts[-2:])
    path.write_bytes(path.read_bytes().replace(b"First aid", b"Last aid!"))


def _edit_manifest(lab: Observatory) -> None:
    (path,) = lab.state_dir.glob("mirror/*/mirror.json")
    path.write_text(path.read_text().replace('"rows": 6', '"rows": 5'))


def _tear_manifest(lab: Observatory) -> None:
    (path,) = lab.state_dir.glob("mirror/*/mirror.json")
    path.write_bytes(path.read_bytes()[:200])


@pytest.mark.parametrize(
    ("harm", "reason"),
    [
        (_cut, "is damaged or edited"),
        (_edit, "is damaged or edited"),
        (lambda lab: lab.files()[-1].unlink(), "cannot be read"),
        (_edit_manifest, "damaged, edited or torn"),
        (_tear_manifest, "damaged, edited or torn"),
    ],
    ids=["a cut file", "an edited file", "a missing file", "an edited manifest", "a torn manifest"],
)
def test_what_is_not_whole_is_not_used(lab: Observatory, harm: Callable[[Observatory], None], reason: str) -> None:
    """Damage to a file costs its object a full read, damage to the manifest all of them; the next night is as usual."""
    harm(lab)
    held = same(lab)
    assert any(reason in way for way in held.ways.values())
    lab.pass_hours(24)
    assert by_mirror(same(lab)) == set(_NAMES)


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"api_version": "66.0"}, "api_version"),
        ({"full_read_days": 0}, "salesforce.full_read_days is 0"),
    ],
)
def test_other_settings_are_another_mirror(lab: Observatory, change: dict[str, Any], word: str) -> None:
    """What was read by another API version is not used, and nothing when mirrors are not wanted."""
    assert word in why(same(lab, lab.read(**change)))
    assert bool(lab.files()) == bool(change.get("full_read_days", 1))


def test_other_portals_have_a_mirror_of_their_own(lab: Observatory) -> None:
    """A run of one portal more reads in full, and neither run takes the other's mirror away."""
    lab.insert(PORTAL, LU_Key__c="67890", Name="Partners", Portal_Id__c=67890)
    both = lab.read(portals=2)
    assert why(both) == "no earlier read is kept"
    assert rows_of(both) == lab.whole((OURS, 67890))
    assert by_mirror(same(lab)) == by_mirror(lab.read(portals=2)) == set(_NAMES)


def test_an_old_backup_of_the_state_folder(lab: Observatory) -> None:
    """An earlier mirror is brought up to date from its own time; one older than the recycle bin is not used."""
    backup = lab.folder / "backup"
    shutil.copytree(lab.state_dir, backup)
    lab.salesforce["full_read_days"] = 30
    for day in range(1, 14):
        happen(lab, "edit", day)
        happen(lab, "delete", day)
        lab.pass_hours(24)
    lab.read()
    shutil.rmtree(lab.state_dir)
    shutil.copytree(backup, lab.state_dir)
    assert by_mirror(same(lab)) == set(_NAMES)
    lab.pass_hours(24)
    shutil.rmtree(lab.state_dir)
    shutil.copytree(backup, lab.state_dir)
    assert why(same(lab)) == "the earlier read was more than 14 days ago"


def test_clocks_of_salesforce_alone_count(lab: Observatory) -> None:
    """This machine's clock may say what it will; a mirror from Salesforce's future is not used."""
    lab.client.clock = replace(lab.client.clock, now=lambda: lab.time.now() - timedelta(days=400))
    assert by_mirror(same(lab)) == set(_NAMES)
    lab.time._start -= timedelta(days=2)
    lab.whole()
    assert why(same(lab)) == "the earlier read is later than now by Salesforce's clock"


def test_a_run_that_does_not_write_leaves_the_mirror_alone(lab: Observatory) -> None:
    """Only runs that hold the lock of the state folder leave a mirror; others may read it."""
    before = lab.manifest()
    assert by_mirror(same(lab, lab.read(command="plan"))) == set(_NAMES)
    assert lab.manifest() == before


def test_files_are_private_and_only_one_generation_stays(lab: Observatory) -> None:
    """Folders are 0700 and files 0600; a generation that was half written is removed by the next run."""
    (slot,) = (lab.state_dir / "mirror").iterdir()
    (slot / "run-half" / ROWS).mkdir(parents=True)
    useless = slot.parent / "0123456789abcdef"
    useless.mkdir()
    same(lab)
    assert len(list(slot.iterdir())) == 2
    assert not useless.exists()
    for path in lab.state_dir.rglob("*"):
        assert path.stat().st_mode & 0o777 == (0o700 if path.is_dir() else 0o600), path


def test_rows_that_did_not_change_are_not_written_again(lab: Observatory) -> None:
    """Files of unchanged rows get a second name: a night's mirror takes the disk that its changes take."""
    before = {path.name + path.parent.name: path.stat().st_ino for path in lab.files()}
    lab.read()
    assert {path.name + path.parent.name: path.stat().st_ino for path in lab.files()} == before


@pytest.mark.parametrize(
    ("other", "word"),
    [
        ({"user_id": "005B"}, "user_id"),
        ({"version": "0.0.0"}, "version"),
        ({"api_version": "66.0"}, "api_version"),
        ({"objects": {"Contact": "Id:string"}}, "objects"),
        ({"org_id": "00DB"}, ""),
        ({"portal_ids": (1, 2)}, ""),
    ],
)
def test_another_identity_is_another_mirror(tmp_path: Path, other: dict[str, Any], word: str) -> None:
    """Another user may see other rows, another version or field reads them otherwise; portals have their own place."""
    mine = Identity("00DA", "005A", (1,), "67.0", "0.1.0", {"Contact": "Id:int64"})
    write_mirror(tmp_path, mine, "run-1", (START, START), {}, {})
    assert read_mirror(tmp_path, mine)[1] == ""
    found, reason = read_mirror(tmp_path, replace(mine, **other))
    assert found is None
    assert reason == (f"the earlier read was one of another {word}" if word else "no earlier read is kept")


def test_portals_in_another_order_are_another_mirror(tmp_path: Path) -> None:
    """Rows lie in the files by codes that tell a portal by its place, so files of another order are not taken."""
    mine = Identity("00DA", "005A", (1, 2), "67.0", "0.1.0", {"Contact": "Id:int64"})
    write_mirror(tmp_path, mine, "run-1", (START, START), {}, {})
    assert read_mirror(tmp_path, replace(mine, portal_ids=(2, 1))) == (
        None,
        "the earlier read was one of another portal_ids",
    )


def test_a_field_that_holds_other_values_is_another_field(lab: Observatory) -> None:
    """What the org says of its fields is part of what a mirror is of."""
    lab.shapes[ROWS] = {**lab.shapes[ROWS], "Status__c": Shape("text", 80, choices=frozenset({"Passed"}))}
    assert why(lab.read(command="plan")) == "the earlier read was one of another objects"


def test_a_disk_that_does_not_take_the_mirror_costs_a_warning(lab: Observatory) -> None:
    """What cannot be kept is no failure of the run; the old mirror stays whole."""
    before = lab.manifest()
    (slot,) = (lab.state_dir / "mirror").iterdir()
    (slot / ".mirror.json.new").mkdir()
    held = lab.read()
    assert rows_of(held) == lab.whole()
    (warning,) = held.warnings
    assert "could not be kept" in warning
    assert lab.manifest() == before
    (slot / ".mirror.json.new").rmdir()
    assert by_mirror(same(lab)) == set(_NAMES)


@pytest.mark.parametrize("died", ["among its files", "in its manifest", "before it tidied up"])
def test_a_run_killed_while_it_left_its_mirror(lab: Observatory, died: str) -> None:
    """Whatever it left half done, the mirror is the old or the new one, whole; the next night uses it and tidies up."""
    (slot,) = (lab.state_dir / "mirror").iterdir()
    if died == "in its manifest":
        (slot / ".mirror.json.new").write_text('{"format": 1, "identi')
    else:
        (slot / "run-0" / ROWS).mkdir(parents=True)
        (slot / "run-0" / ROWS / "000000.arrow").write_bytes(
            lab.files()[0].read_bytes()[: 100 if "files" in died else None]
        )
    assert by_mirror(same(lab)) == set(_NAMES)
    assert len(list(slot.iterdir())) == 2
