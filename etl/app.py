"""What every command is handed: where the configuration is, the clock, the logs, standard output; it runs nothing."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from random import Random, SystemRandom
from typing import TYPE_CHECKING

from etl.clock import Clock
from etl.config import Settings, load
from etl.errors import StateFault
from etl.interrupt import Interruptions
from etl.logs import Logs
from etl.progress import Progress

if TYPE_CHECKING:  # help needs no HTTP
    from etl.cores import Cores
    from etl.session import Transport

CONFIG_VARIABLE = "LEARNUPON_SYNC_CONFIG"
DEFAULT_CONFIG = "config/learnupon-sync.yaml"


@dataclass
class App:
    """The surroundings of one command; made in `main`, passed through click's context (`click.pass_obj`)."""

    environ: Mapping[str, str]
    logs: Logs
    clock: Clock = field(default_factory=Clock)
    transport: Transport | None = None
    """What carries requests; None: sockets."""
    random: Random = field(default_factory=SystemRandom)
    """Run ids and jitter."""
    free_space: Callable[[Path], int] | None = None
    """Tells how many bytes are free on the disk of a folder; None: the file system does."""
    signals: Interruptions = field(default_factory=Interruptions)
    ours: bool = False
    """Whether this process is the program's own, not that of somebody who calls `main`."""
    decoders: Cores | None = None
    """Workers for LearnUpon's pages that were started before the command was loaded."""
    chosen_config: Path | None = None
    """The path of `--config`, if it was given."""
    report: Path | None = None
    """Folder of the run's report, set by the command that makes one; named when the program stops on a bug."""
    ending: str = ""
    """What the last line on standard error adds to what stopped a run: what was written, and what to do next."""

    @property
    def config(self) -> Path:
        """Return the path of the configuration: `--config`, else $LEARNUPON_SYNC_CONFIG, else the usual place."""
        return self.chosen_config or Path(self.environ.get(CONFIG_VARIABLE) or DEFAULT_CONFIG)

    @cached_property
    def _settings(self) -> Settings:
        settings = load(self.config, self.environ)
        self.logs.conceal(*settings.secrets())
        return settings

    def settings(self) -> Settings:
        """Return the settings, loaded at the first call, their secrets concealed in the log; raises ConfigFault."""
        return self._settings

    def use(self, config: Path) -> None:
        """Use another configuration from now on."""
        self.chosen_config = config
        self.__dict__.pop("_settings", None)

    @property
    def quiet(self) -> bool:
        """Return whether only warnings and results are wanted (`-q`)."""
        return self.logs.verbosity < 0

    def close(self) -> None:
        """End the workers that nobody came to use."""
        if self.decoders is not None:
            self.decoders.close()

    def progress(self) -> Progress:
        """Return a progress display on standard error, as loud as the command line wants it."""
        return Progress(clock=self.clock, quiet=self.quiet)

    def echo(self, text: str = "", *, newline: bool = True) -> None:
        """Write a result to standard output; a reader that went away (`| head`) stops nobody.

        Characters that its encoding lacks are written as escapes.
        """
        encoding = sys.stdout.encoding or "utf-8"
        fit = text.encode(encoding, "backslashreplace").decode(encoding)
        try:
            sys.stdout.write(fit + "\n" if newline else fit)
            sys.stdout.flush()
        except BrokenPipeError:
            silence_stdout()
        except OSError as error:
            raise StateFault(f"standard output cannot be written: {error.strerror}") from error


def silence_stdout() -> None:
    """Send what is still to come, and what Python flushes at its end, nowhere."""
    sink = os.open(os.devnull, os.O_WRONLY)
    os.dup2(sink, sys.stdout.fileno())
    os.close(sink)
