"""The command line: one click group, its global options, and commands that are imported when they are wanted.

It decides nothing: a command is `etl.commands.<name>.command`, takes the `App` and returns an exit code or None.
"""

from __future__ import annotations

import copy
import difflib
import gc
import importlib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from etl import __version__
from etl.app import CONFIG_VARIABLE, DEFAULT_CONFIG, App

if TYPE_CHECKING:
    from etl.cores import Cores

_SELDOM = 20_000
"""New objects after which garbage is looked for, instead of Python's 700, which took 0.3 s of a night of 17 s."""
COMMANDS: dict[str, str] = {
    "demo": "Try it all out on this machine, without any account.",
    "check": "Check configuration, access, objects, fields and quotas; writes nothing.",
    "plan": "Show what a run would change; writes nothing.",
    "run": "Make Salesforce agree with LearnUpon.",
    "apply": "Apply exactly a saved plan.",
    "backfill": "Bring in history for a chosen scope; never deletes.",
    "totals": "Sum up the profiles of Contacts and Users after portals were run apart.",
    "runs": "List earlier runs, or show one in full.",
    "undo": "Put back what a run changed or deleted.",
    "emulator": "Serve the emulated LearnUpon and Salesforce for trying things by hand.",
}
"""Every command and the one line that help shows for it, so that help imports none of them."""
_READ_LEARNUPON = frozenset({"plan", "run", "backfill"})
_HELP = {"-h", "--help"}


def _app(context: click.Context) -> App:
    app = context.find_object(App)
    if app is None:  # main() always makes one
        raise RuntimeError("the command line was started without an App")
    return app


def _on_config(context: click.Context, _: click.Parameter, value: Path | None) -> None:
    if value is not None:
        _app(context).chosen_config = value


def _on_log_format(context: click.Context, _: click.Parameter, value: str | None) -> None:
    if value is not None:
        _app(context).logs.style = "json" if value == "json" else "text"


def _on_verbosity(level: int) -> Callable[[click.Context, click.Parameter, bool], None]:
    def choose(context: click.Context, _: click.Parameter, value: bool) -> None:  # noqa: FBT001 -- click's signature
        if value:
            _app(context).logs.verbosity = level

    return choose


def global_options() -> list[click.Option]:
    """Return the options that are accepted before the command and, since people do, after it."""
    where = f"The configuration; default ${CONFIG_VARIABLE}, else {DEFAULT_CONFIG}."
    common: dict[str, Any] = {"expose_value": False}
    return [
        click.Option(
            ["--config"], type=click.Path(path_type=Path), metavar="PATH", callback=_on_config, help=where, **common
        ),
        click.Option(
            ["--log-format"],
            type=click.Choice(["text", "json"]),
            callback=_on_log_format,
            help="Lines for people (default) or machines, on standard error.",
            **common,
        ),
        click.Option(["-v", "--verbose"], is_flag=True, callback=_on_verbosity(1), help="Log more.", **common),
        click.Option(["-q", "--quiet"], is_flag=True, callback=_on_verbosity(-1), help="Log warnings only.", **common),
    ]


def with_globals(command: click.Command) -> click.Command:
    """Return a copy of a command, and of the commands inside it, that takes the global options too."""
    own = {name for param in command.params for name in param.opts}
    twin = copy.copy(command)
    extra = []
    for option in global_options():
        option.hidden = True  # help shows them once, at the group
        if not own & set(option.opts):
            extra.append(option)
    twin.params = [*command.params, *extra]
    if isinstance(twin, click.Group):
        twin.commands = {name: with_globals(inner) for name, inner in twin.commands.items()}
    return twin


class Commands(click.Group):
    """A group that knows its commands by name and imports one when it is wanted."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 -- click's signature
        """Return the names in the order of help."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import and return a command, or None when there is none of that name."""
        if cmd_name not in COMMANDS:
            return None
        with _app(ctx).signals.held():
            return with_globals(_imported(f"etl.commands.{cmd_name}").command)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command of the arguments; an unknown one is a usage error that names the nearest."""
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            near = difflib.get_close_matches(args[0], COMMANDS, 1, cutoff=0.4)
            hint = f"did you mean {near[0]}?" if near else f"the commands are {', '.join(COMMANDS)}"
            raise click.UsageError(f"no command {args[0]!r}; {hint}", ctx)
        if args and args[0] in _READ_LEARNUPON and _app(ctx).ours and not _HELP & set(args):
            _app(ctx).decoders = _started()
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 -- click's
        """Write the list of commands without importing one."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


def _started() -> Cores:
    """Return the workers that decode pages, started: they load while this process does, and on another core."""
    from etl.decoders import decoders  # noqa: PLC0415 - help needs none

    workers = decoders()
    workers.start()
    return workers


def _imported(name: str) -> Any:
    """Import a module, and have what came with it looked through for garbage neither now nor at the program's end.

    Nothing of it is ever garbage, and looking takes a fifth of the import and half a second at the end (measured). Of
    what comes after it little is.
    """
    if name in sys.modules:
        return sys.modules[name]
    was_on = gc.isenabled()
    gc.disable()
    try:
        module = importlib.import_module(name)
        gc.freeze()
        gc.set_threshold(_SELDOM)
    finally:
        if was_on:
            gc.enable()
    return module


def _print_version(context: click.Context, _: click.Parameter, value: bool) -> None:  # noqa: FBT001 -- click's signature
    if value:
        _app(context).echo(f"learnupon-sync {__version__}")
        context.exit(0)


group = Commands(
    name="learnupon-sync",
    params=[
        *global_options(),
        click.Option(
            ["--version"],
            is_flag=True,
            is_eager=True,
            expose_value=False,
            callback=_print_version,
            help="Say the version.",
        ),
    ],
    context_settings={"help_option_names": sorted(_HELP), "max_content_width": 100},
    help="Keep Salesforce in step with LearnUpon: learners, enrollments and learning paths, with a plan first.",
    epilog="Begin with `learnupon-sync demo`; then `learnupon-sync check`, `plan` and `run`.",
)
