"""The README says what the program does: every command, option, exit code and setting, and no link leads nowhere."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import click
import pytest

from etl import errors
from etl.app import App
from etl.cli import COMMANDS, group
from etl.config.load import all_keys
from etl.config.models import GuardSettings
from etl.logs import Logs

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
PAGES = [README, ROOT / "config" / "README.md", ROOT / "cron" / "README.md"]
TEXT = README.read_text(encoding="utf-8")
FENCE = re.compile(r"^ *```(\w*)\n(.*?)^ *```$", re.DOTALL | re.MULTILINE)
PROSE = FENCE.sub("", TEXT)


def section(title: str) -> str:
    """Return the text of a section, down to the next heading of any depth."""
    found = re.search(rf"^#+ {re.escape(title)}\n(.*?)(?=^#+ |\Z)", PROSE, re.DOTALL | re.MULTILINE)
    assert found, f"the README has no section {title!r}"
    return found[1]


def first_cells(title: str) -> list[str]:
    """Return the first cell of each line of the tables in a section, without headings."""
    lines = [line for line in section(title).splitlines() if line.startswith("|")]
    heads = {place - 1 for place, line in enumerate(lines) if set(line) <= set("|- ")}
    rows = [line for place, line in enumerate(lines) if place not in heads and set(line) - set("|- ")]
    return [row.split("|")[1].strip().strip("`") for row in rows]


def test_every_command_is_in_the_table() -> None:
    """The table of commands names each command once, in the order of help, and no other."""
    assert first_cells("Commands") == list(COMMANDS)


def help_blocks() -> dict[str, str]:
    """Return the help that the README shows, by the arguments that were typed."""
    shown = (re.match(r"\$ learnupon-sync ([^\n]*--help)\n(.*)", body, re.DOTALL) for _, body in FENCE.findall(TEXT))
    return {found[1]: found[2] for found in shown if found}


def test_the_help_of_every_command_is_shown() -> None:
    """There is a block with the help of the group and of each command."""
    assert list(help_blocks()) == ["--help", *(f"{name} --help" for name in COMMANDS)]


ASK = """
import contextlib, io, json, sys
from etl.__main__ import main
answers = {}
for arguments in json.load(sys.stdin):
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        answers[arguments] = main(arguments.split()), out.getvalue()
print(json.dumps(answers))
"""


@cache
def real_help() -> dict[str, tuple[int, str]]:
    """Return exit code and help of all those calls, asked of one process: each would import the same again."""
    wide = os.environ | {"COLUMNS": "100", "TERM": "dumb"}
    done = subprocess.run(
        [sys.executable, "-c", ASK],
        cwd=ROOT, env=wide, input=json.dumps([*help_blocks()]), capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    answers: dict[str, tuple[int, str]] = {name: tuple(answer) for name, answer in json.loads(done.stdout).items()}
    return answers


@pytest.mark.parametrize("arguments", ["--help", *(f"{name} --help" for name in COMMANDS)])
def test_the_help_shown_is_the_real_help(arguments: str) -> None:
    """What the README shows is what the program answers on a terminal of 100 columns, line for line."""
    code, told = real_help()[arguments]
    assert code == 0, told
    assert help_blocks()[arguments].rstrip() == told.rstrip()


def typed() -> Iterator[str]:
    """Yield the lines of the README that call the program, without what stands before its name."""
    for _, body in FENCE.findall(TEXT):
        for line in body.splitlines():
            if found := re.match(r"(?:\$ )?learnupon-sync (.+)", line.strip()):
                yield found[1]
    yield from re.findall(r"`(?:learnupon-sync )?((?:run|totals|plan|backfill) --[^`]+)`", PROSE)


def known_options(name: str) -> set[str]:
    """Return the options a command accepts, the global ones included."""
    logs = Logs()
    try:
        context = click.Context(group, obj=App(environ={}, logs=logs))
        command = group.get_command(context, name) if name else group
    finally:
        logs.close()  # or every test after this one would be logged to two places, and masked in one
    assert command is not None, f"no command {name}"
    return {option for param in command.params for option in param.opts} | {"--help", "-h"}


def test_every_call_shown_is_one_the_program_accepts() -> None:
    """Commands and options in the README's examples exist."""
    calls = [call.split() for call in typed()]
    assert len(calls) > len(COMMANDS)
    wrong = []
    for words in calls:
        name = "" if words[0].startswith("-") else words[0]
        used = {word for word in words if word.startswith("-")}
        if (name and name not in COMMANDS) or used - known_options(name):
            wrong.append(" ".join(words))
    assert wrong == []


def codes(kind: type[errors.SyncError] = errors.SyncError) -> Iterator[int]:
    """Yield the exit codes of the exception tree below a class."""
    for inner in kind.__subclasses__():
        yield inner.exit_code
        yield from codes(inner)


def test_every_exit_code_is_in_the_table() -> None:
    """The table of exit codes names each code of the program once, and no other."""
    stops = {errors.exit_code_of(errors.Interrupted(number)) for number in (2, 15)}
    results = {errors.OK, errors.ROWS_REFUSED, errors.CHANGES_PLANNED, errors.BUG}
    table = [int(cell) for cell in first_cells("Exit codes")]
    assert table == sorted({*codes(), *results, *stops})


def test_every_setting_is_named() -> None:
    """Each key of the configuration stands in the README or in the example file."""
    example = (ROOT / "config" / "learnupon-sync.example.yaml").read_text(encoding="utf-8")
    keys = {str(place[-1]) for place in all_keys()}
    assert len(keys) > 30
    assert sorted(key for key in keys if not re.search(rf"\b{key}\b", TEXT + example)) == []


def test_every_guard_is_in_the_table() -> None:
    """The table of guards names each limit with the default it has."""
    defaults = GuardSettings()
    rows = [line.split("|") for line in section("Guards").splitlines() if line.startswith("| `")]
    shown = {row[1].strip(" `"): float(row[2]) for row in rows}
    assert shown == {name: float(getattr(defaults, name)) for name in GuardSettings.model_fields}


def targets() -> list[str]:
    """Return the targets of the Makefile that have a word of explanation."""
    return re.findall(r"^([a-z]+):.*## ", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)


def test_every_make_target_is_explained() -> None:
    """The README explains each target of the Makefile, and names no other."""
    assert {cell.removeprefix("make ") for cell in first_cells("Tests") if cell.startswith("make ")} == set(targets())
    assert set(re.findall(r"`make ([a-z]+)`", PROSE)) <= set(targets())


def test_every_folder_of_tests_is_explained() -> None:
    """The README says of each folder of tests what it proves."""
    folders = {path.parent.name for path in (ROOT / "tests").glob("*/*.py")}
    assert {cell.removeprefix("tests/") for cell in first_cells("Tests") if cell.startswith("tests/")} == folders


def test_the_map_of_the_house_names_every_room() -> None:
    """Each folder of the program is on the map, and all that is on the map exists."""
    plan = next(body for kind, body in FENCE.findall(TEXT) if kind == "text" and body.startswith("etl/"))
    named = re.findall(r"^(  )?([a-z_/.]+)(?:, ([a-z_/.]+))?(?: \.\.\.)? ", plan, re.MULTILINE)
    paths = {("etl/" if inner else "") + name for inner, *names in named for name in names if name}
    rooms = {f"etl/{path.parent.name}/" for path in (ROOT / "etl").glob("*/__init__.py")}
    assert rooms <= paths
    assert sorted(path for path in paths if not (ROOT / path).exists()) == []


def test_where_to_change_something_exists() -> None:
    """Every file and folder that the README names by its path is there."""
    named = set(re.findall(r"`((?:etl|config|cron|tests)/[\w./-]*)`", PROSE))
    local = {"config/learnupon-sync.yaml"}  # the user's own
    prefixes = {f"{place}/" for place in ("etl", "config", "cron", "tests")}
    assert len(named) > 20
    assert sorted(path for path in named - local - prefixes if not (ROOT / path).exists()) == []


def anchor(heading: str) -> str:
    """Return the anchor that a heading gets: lower case, punctuation dropped, blanks as hyphens."""
    return re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_is_relative_and_leads_somewhere(page: Path) -> None:
    """Links lead to files of the repository, or to headings of the same page."""
    text = FENCE.sub("", page.read_text(encoding="utf-8"))
    headings = {anchor(heading) for heading in re.findall(r"^#+ (.+)$", text, re.MULTILINE)}
    wrong = []
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        name, _, place = target.partition("#")
        exists = (page.parent / name).exists() if name else place in headings
        if re.match(r"[a-z]+:|/", target) or not exists:
            wrong.append(target)
    assert wrong == []


def test_no_line_is_too_long_to_read() -> None:
    """Sentences are wrapped at 120 characters; tables may be wider."""
    lines = enumerate(TEXT.splitlines(), 1)
    assert [number for number, line in lines if len(line) > 120 and not line.lstrip().startswith("|")] == []
