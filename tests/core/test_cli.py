"""The command line: global options anywhere, exit codes, one line for every stop, and nothing imported for help."""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import click
import pytest
from config_files import CANARY, ENVIRON, GOOD, write

from etl import __version__
from etl.__main__ import main
from etl.app import App
from etl.cli import COMMANDS, global_options, with_globals
from etl.errors import AccessRefused, GuardTripped, Interrupted, LockHeld, SourceUntrusted, StateFault, Unavailable

ROOT = Path(__file__).parents[2]


def commands(*actions: Callable[[App], object]) -> click.Group:
    """Return a command line with the product's global options and commands that do what a test wants."""
    group = click.Group("learnupon-sync", params=list(global_options()))
    for action in actions:
        command = click.Command(action.__name__, callback=click.pass_obj(action))
        group.add_command(with_globals(command))
    return group


def run(*argv: str, of: Callable[[App], object]) -> int:
    """Run a command line of one command in this process and return its exit code."""
    return main(argv, ENVIRON, commands=commands(of))


def python(*argv: str, environ: dict[str, str] | None = None, code: str = "") -> subprocess.CompletedProcess[str]:
    """Run the product, or code, in a Python process of its own."""
    start = ["-c", code] if code else ["-m", "etl"]
    return subprocess.run(
        [sys.executable, *start, *argv],
        cwd=ROOT,
        env={**os.environ, **(environ or {})},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_help_imports_nothing_heavy() -> None:
    """`--help` answers without pandas, arrow, requests or any command."""
    code = "import sys; from etl.__main__ import main; code = main(['--help']); print(*sys.modules); sys.exit(code)"
    done = python(code=code)
    assert done.returncode == 0
    loaded = set(done.stdout.splitlines()[-1].split())
    assert not loaded & {
        "pandas",
        "numpy",
        "pyarrow",
        "requests",
        "simple_salesforce",
        "jinja2",
        "rich",
        "etl.pipeline",
    }
    assert not any(name.startswith("etl.commands.") for name in loaded)
    for name in COMMANDS:
        assert f"\n  {name} " in done.stdout


def test_what_a_command_imports_is_not_looked_through_for_garbage() -> None:
    """When a command begins, the collector is on, and leaves alone all that was imported, once and for all."""
    code = (
        "import gc, etl.cli\n"
        "from etl.__main__ import main\n"
        "assert main(['runs', '--help']) == 0\n"
        "frozen = gc.get_freeze_count()\n"
        "main(['runs', '--help'])\n"
        "print(gc.isenabled(), frozen > 50_000, gc.get_freeze_count() == frozen)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split()[-3:] == ["True", "True", "True"], done.stdout


def test_the_version_goes_to_standard_output(capsys: pytest.CaptureFixture[str]) -> None:
    """`--version` says name and version and ends with 0."""
    assert main(["--version"], {}) == 0
    assert capsys.readouterr().out == f"learnupon-sync {__version__}\n"


@pytest.mark.parametrize("name", [name for name in COMMANDS if importlib.util.find_spec(f"etl.commands.{name}")])
def test_every_command_has_help(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Each command's module holds a click command that explains itself."""
    assert main([name, "--help"], {}) == 0
    assert f"Usage: learnupon-sync {name}" in capsys.readouterr().out


USAGE = [
    ([], "Usage: learnupon-sync"),
    (["rnus"], "did you mean runs?"),
    (["xyzzy"], "the commands are demo, check"),
    (["runs", "--lmit", "3"], "learnupon-sync runs --help"),
    (["--log-format", "xml", "runs"], "--log-format"),
    (["--config"], "--config"),
    (["runs", "--limit", "0"], "--limit"),
    (["runs", "a", "b"], "unexpected extra argument"),
    (["emulator", "--port-learnupon", "70000"], "--port-learnupon"),
]


@pytest.mark.parametrize(("argv", "hint"), USAGE)
def test_wrong_usage_is_64_with_a_hint(argv: list[str], hint: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Code 2 means changes here, so click's own code for wrong usage is never used."""
    assert main(argv, {}) == 64
    out, err = capsys.readouterr()
    assert out == ""
    assert hint in err


def test_an_unknown_run_is_wrong_usage(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`runs ID` of a run that is not there is 64, and an empty history is none."""
    assert main(["runs", "--state-dir", str(tmp_path)], {}) == 0
    assert "no runs yet" in capsys.readouterr().out
    assert main(["runs", "20260101T000000Z-abcd", "--state-dir", str(tmp_path)], {}) == 64


@pytest.mark.parametrize("name", ["runs", "check", "plan", "run", "totals"])
def test_five_faults_are_78_without_a_request(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A configuration with five faults shows all five, ends with 78, and nobody was called."""
    if importlib.util.find_spec(f"etl.commands.{name}") is None:
        pytest.skip(f"the command {name} is not there yet")
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"http://127.0.0.1:{server.getsockname()[1]}"
        portal = {**GOOD["portals"][0], "url": address, "portal_id": "x", "name": "A b", "pasword": "x"}
        org = {**GOOD["salesforce"], "login_url": address, "poll_seconds": 0, "access_token": "${NOT_SET}"}
        path = write(tmp_path, {"portals": [portal], "salesforce": org, "state_dir": str(tmp_path / "var")})
        assert main([name, "--config", str(path)], ENVIRON) == 78
        server.settimeout(0)
        with pytest.raises(BlockingIOError):
            server.accept()
    err = capsys.readouterr().err
    assert err.startswith("error: the configuration has 5 faults:\n")
    assert err.count(f"  {path}:") == 5
    assert not (tmp_path / "var").exists()


def test_the_configuration_is_chosen_by_option_then_variable_then_place(tmp_path: Path) -> None:
    """--config wins over $LEARNUPON_SYNC_CONFIG, and without both it is config/learnupon-sync.yaml."""
    found: list[Path] = []

    def show(app: App) -> None:
        found.append(app.config)

    variable = {"LEARNUPON_SYNC_CONFIG": "from/variable.yaml"}
    main(["show"], {}, commands=commands(show))
    main(["show"], variable, commands=commands(show))
    main(["--config", "from/option.yaml", "show"], variable, commands=commands(show))
    main(["show", "--config", "from/after.yaml"], variable, commands=commands(show))
    assert [str(path) for path in found] == [
        "config/learnupon-sync.yaml",
        "from/variable.yaml",
        "from/option.yaml",
        "from/after.yaml",
    ]


@pytest.mark.parametrize("place", ["before", "after"])
def test_global_options_count_before_and_after_the_command(place: str) -> None:
    """People write `-q` at the end: it counts there as well."""
    seen: list[tuple[str, int]] = []

    def show(app: App) -> None:
        seen.append((app.logs.style, app.logs.verbosity))

    for options in (["-q"], ["--quiet", "--log-format", "json"], ["-v"], ["--log-format=text"]):
        assert run(*([*options, "show"] if place == "before" else ["show", *options]), of=show) == 0
    assert seen == [("text", -1), ("json", -1), ("text", 1), ("text", 0)]


def test_settings_load_once_and_their_secrets_are_concealed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """After the settings were loaded no line on standard error shows a secret."""
    path = write(tmp_path, GOOD)

    def leak(app: App) -> None:
        settings = app.settings()
        assert app.settings() is settings
        raise Unavailable(f"LearnUpon said {settings.portals[0].password.get_secret_value()}")

    assert run("leak", "--config", str(path), of=leak) == 69
    err = capsys.readouterr().err
    assert err == "error: LearnUpon said ***\n"
    assert run("leak", "--config", str(path), "-v", "--log-format", "json", of=leak) == 69
    assert CANARY not in capsys.readouterr().err


STOPS = [
    (GuardTripped("12 rows"), 3),
    (SourceUntrusted("no header"), 65),
    (Unavailable("away"), 69),
    (StateFault("disk full"), 74),
    (LockHeld("pid 1"), 75),
    (AccessRefused("401"), 77),
    (Interrupted(signal.SIGTERM), 143),
    (Interrupted(signal.SIGINT), 130),
    (KeyboardInterrupt(), 130),
    (click.Abort(), 130),
]


@pytest.mark.parametrize(("error", "code"), STOPS)
def test_every_stop_is_one_line_and_its_code(
    error: BaseException, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    """What a person can act on is said in one line, without a traceback."""

    def stop(_: App) -> None:
        raise error

    assert run("stop", of=stop) == code
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    assert str(error) in err
    assert run("stop", "--log-format", "json", of=stop) == code
    line = json.loads(capsys.readouterr().err)
    assert (line["level"], line["exit_code"]) == ("error", code)


def test_a_bug_is_70_with_a_traceback_without_values(capsys: pytest.CaptureFixture[str]) -> None:
    """The log shows where it happened, the last line says that it is a bug and where the report is."""
    person = "jane@example.com"

    def stumble(app: App) -> None:
        app.report = Path("var/runs/20260101T000000Z-abcd")
        int(person)

    assert run("stumble", "-q", of=stumble) == 70
    err = capsys.readouterr().err
    assert person not in err
    assert "int(person)" in err
    assert "builtins.ValueError" in err
    assert err.splitlines()[-1].startswith("error: this is a bug in learnupon-sync (ValueError)")
    assert err.splitlines()[-1].endswith("var/runs/20260101T000000Z-abcd")


@pytest.mark.parametrize(("result", "code"), [(None, 0), (0, 0), (1, 1), (2, 2), ("text", 0)])
def test_a_command_returns_its_exit_code(result: object, code: int) -> None:
    """0, 1 and 2 are results of commands; nothing returned is 0."""

    def give(_: App) -> object:
        return result

    assert run("give", of=give) == code


def test_a_command_may_exit_with_a_code() -> None:
    """`ctx.exit(n)` ends with n."""

    def leave(_: App) -> None:
        click.get_current_context().exit(2)

    assert run("leave", of=leave) == 2


def test_a_forged_line_in_an_error_is_escaped(capsys: pytest.CaptureFixture[str]) -> None:
    """Names from outside in a message move no cursor."""

    def stop(_: App) -> None:
        raise Unavailable("host \x1b[2J\u202e")

    run("stop", of=stop)
    assert capsys.readouterr().err == "error: host \\x1b[2J\\u202e\n"
