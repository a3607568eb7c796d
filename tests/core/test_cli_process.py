"""The command line as a process: signals, readers that go away, disks that are full, and the emulator command."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from etl.__main__ import main
from etl.config import load
from etl.errors import Interrupted
from etl.interrupt import Interruptions, Signalled

ROOT = Path(__file__).parents[2]
SLEEPER = """
import sys, time, click
from etl.__main__ import main
from etl.cli import global_options
group = click.Group("learnupon-sync", params=list(global_options()))
@group.command()
@click.pass_obj
def wait(app):
    try:
        app.echo("ready")
        time.sleep(30)
    finally:
        time.sleep(float(sys.argv[1]))
        app.echo("cleaned up")
sys.exit(main(["wait"], commands=group))
"""


def test_a_signal_that_an_import_swallows_is_heard_behind_it() -> None:
    """Told to stop while an extension module swallows whatever is raised, the program ends with 143 all the same."""
    code = (
        "import importlib.abc, os, signal, sys\n"
        "class Deaf(importlib.abc.MetaPathFinder):\n"
        "    def find_spec(self, name, path, target=None):\n"
        "        try:\n"
        "            if name == 'pandas': signal.raise_signal(signal.SIGTERM)\n"
        "        except BaseException: print('swallowed')\n"
        "sys.meta_path.insert(0, Deaf())\n"
        "from etl.__main__ import main\n"
        "sys.exit(main(['--config', 'nowhere.yaml', 'run']))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (143, ""), done.stderr
    assert "nowhere.yaml" not in done.stderr


def test_a_signal_that_was_swallowed_is_raised_again() -> None:
    """Whatever met a signal and went on, the next look at signals raises it once more."""
    signals = Interruptions()
    with signals.watched():
        with pytest.raises(Signalled):
            signal.raise_signal(signal.SIGTERM)
        assert signals.noted == signal.SIGTERM
        signals.hold()
        with pytest.raises(Signalled):
            signals.release()


@pytest.mark.parametrize(("signum", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_signals_stop_cleanly(signum: signal.Signals, code: int) -> None:
    """SIGTERM and SIGINT run what must be tidied, say one line and end with 128 + their number; twins count once."""
    with subprocess.Popen(
        [sys.executable, "-c", SLEEPER, "0.2"], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signum)
        time.sleep(0.05)
        process.send_signal(signum)
        out, err = process.communicate(timeout=20)
    assert (process.returncode, out) == (code, "cleaned up\n")
    assert err == f"error: {Interrupted(signum)}\n"


def test_a_second_signal_ends_at_once() -> None:
    """Who asks again a while later does not have to wait for the tidying."""
    with subprocess.Popen(
        [sys.executable, "-c", SLEEPER, "20"], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.send_signal(signal.SIGINT)
        time.sleep(1.3)
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=5) == -signal.SIGTERM


LIBRARIES = """
import os, sys
sys.argv = ["learnupon-sync", "--version"]
from etl.__main__ import main
main()
import numpy
print(len(os.listdir("/proc/self/task")), os.environ["OPENBLAS_NUM_THREADS"], os.environ["MIMALLOC_ALLOW_THP"])
"""


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="threads are counted in /proc: Linux only")
def test_the_libraries_are_loaded_as_preferred_unless_the_environment_says_otherwise() -> None:
    """Numpy starts no thread for algebra, and what somebody has set in the environment stays as it is."""
    named = ("OPENBLAS_NUM_THREADS", "MIMALLOC_ALLOW_THP")
    plain = {name: value for name, value in os.environ.items() if name not in named}
    for environ, told in ((plain, "1 1 0"), ({**plain, "MIMALLOC_ALLOW_THP": "1"}, "1 1 1")):
        command = [sys.executable, "-c", LIBRARIES]
        said = subprocess.run(command, cwd=ROOT, env=environ, stdout=subprocess.PIPE, text=True, check=True).stdout
        assert said.splitlines()[-1] == told


def test_signal_handlers_are_put_back() -> None:
    """A program that calls main() keeps its own handlers."""
    before = (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM))
    main(["--version"], {})
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before


ECHO = """
import sys, click
from etl.__main__ import main
group = click.Group("x")
@group.command()
@click.pass_obj
def talk(app):
    for i in range(20000):
        app.echo("line %d" % i)
sys.exit(main(["talk"], commands=group))
"""


def test_a_reader_that_goes_away_is_no_error() -> None:
    """`learnupon-sync runs | head -1` ends with 0 and without a traceback."""
    with subprocess.Popen(
        [sys.executable, "-c", ECHO], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == ""
        assert process.wait(timeout=20) == 0


def test_a_terminal_without_the_characters_gets_escapes() -> None:
    """Names that the encoding of standard output lacks are no reason to fail after the work was done."""
    code = ECHO.replace('"line %d" % i', '"J\u00fcrgen \u2192 \ud800"').replace("20000", "1")
    command = [sys.executable, "-c", code.encode("ascii", "backslashreplace").decode()]
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, check=False, env={**os.environ, "PYTHONIOENCODING": "ascii"}
    )
    assert (done.returncode, done.stdout) == (0, "J\\xfcrgen \\u2192 \\ud800\n")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_standard_output_on_a_full_disk_is_74() -> None:
    """A result that could not be written must not look like success."""
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-c", ECHO],
            cwd=ROOT,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
            timeout=20,
        )
    assert done.returncode == 74
    assert done.stderr == "error: standard output cannot be written: No space left on device\n"


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
def test_the_emulator_command_says_one_json_line_and_ends_at_a_signal(signum: signal.Signals) -> None:
    """One line on standard output once both answer, with a configuration that loads; then it ends with 0 in 10 s."""
    command = [sys.executable, "-m", "etl", "emulator", "--learners", "3", "--seed", "7"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None
        told = json.loads(process.stdout.readline())
        settings = load(Path(told["config"]), {})
        process.send_signal(signum)
        rest = process.stdout.read()
        assert process.wait(timeout=10) == 0
    assert rest == ""
    assert set(told) == {"portals", "salesforce", "config"}
    assert [portal.url for portal in settings.portals] == [portal["url"] for portal in told["portals"]]
    assert settings.salesforce.org_id == told["salesforce"]["org_id"]
    assert not Path(told["config"]).exists()
