"""The way in: `main` runs one command, turns whatever stops it into one line and an exit code, and handles signals."""

from __future__ import annotations

import logging
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from random import Random, SystemRandom
from typing import TYPE_CHECKING

import click

from etl import libraries
from etl.app import App, silence_stdout
from etl.cli import group
from etl.clock import Clock
from etl.errors import BUG, Interrupted, SyncError, UsageFault, bug_of, exit_code_of
from etl.interrupt import Signalled
from etl.logs import Logs, escape

if TYPE_CHECKING:  # help needs no HTTP
    from etl.session import Transport

_log = logging.getLogger("etl")


def main(
    argv: Sequence[str] | None = None,
    environ: Mapping[str, str] | None = None,
    *,
    commands: click.Command = group,
    clock: Clock | None = None,
    transport: Transport | None = None,
    random: Random | None = None,
    free_space: Callable[[Path], int] | None = None,
) -> int:
    """Run the command line and return the exit code; nothing escapes but SystemExit of a command that asked for it.

    `clock`, `transport`, `random` and `free_space` (bytes free on the disk of a folder) are all that a run takes of
    the world besides its files and environment.
    """
    ours = argv is None
    if ours:
        libraries.prefer(os.environ)
    logs = Logs()
    surroundings = os.environ if environ is None else environ
    app = App(surroundings, logs, clock or Clock(), transport, random or SystemRandom(), free_space, ours=ours)
    with app.signals.watched(for_good=ours):  # around the end as well: a twin would cut the last line off
        try:
            return _run(app, commands, list(sys.argv[1:] if argv is None else argv))
        except Signalled as came:
            return _stopped(app, Interrupted(came.signum))
        except KeyboardInterrupt:
            return _stopped(app, Interrupted(signal.SIGINT))
        except Exception as error:  # noqa: BLE001 -- the one place where every error becomes a line and a code
            return _stopped(app, error)
        finally:
            app.signals.hold()
            app.close()
            _flush()
            logs.close()


def _run(app: App, commands: click.Command, argv: list[str]) -> int:
    # not `commands.main`: it ends the program with 1, which means refused rows here, when any pipe breaks
    try:
        with commands.make_context("learnupon-sync", argv, obj=app) as context:
            result = commands.invoke(context)
    except click.exceptions.Exit as done:
        return done.exit_code
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        return UsageFault.exit_code
    except click.Abort:
        raise Interrupted(signal.SIGINT) from None
    except click.ClickException as error:
        raise UsageFault(_usage(error)) from None
    return result if isinstance(result, int) else 0


def _usage(error: click.ClickException) -> str:
    context = getattr(error, "ctx", None)
    path = context.command_path if context is not None else "learnupon-sync"
    return f"{error.format_message().rstrip('.')} (see `{path} --help`)"


def _stopped(app: App, error: Exception) -> int:
    """Say in one line what stopped the program and return its exit code; a bug leaves its traceback in the log."""
    app.signals.hold()
    stop = error if isinstance(error, SyncError) else bug_of(error)
    code, message = exit_code_of(stop), str(stop)
    _log.log(logging.ERROR if code == BUG else logging.DEBUG, "stopped", exc_info=stop)
    if code == BUG and app.report:
        message += f"; what was done until then is in {app.report}"
    _say(app, _whole(message, app.ending), code)
    return code


def _whole(message: str, ending: str) -> str:
    """Return a message with the sentences that end it, on a line of their own below one of several lines."""
    if not ending:
        return message
    return f"{message}\n{ending}" if "\n" in message else f"{message.rstrip('.')}. {ending}"


def _say(app: App, message: str, code: int) -> None:
    if app.logs.style == "json":
        _log.error("%s", message, extra={"exit_code": code})
        return
    lines = [escape(line) for line in app.logs.mask(message).split("\n")]
    with suppress(OSError):
        print("error: " + "\n  ".join(lines), file=sys.stderr, flush=True)  # noqa: T201 -- the one line people see


def _flush() -> None:
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        silence_stdout()
    except (OSError, ValueError):
        return


if __name__ == "__main__":
    sys.exit(main())
