"""The stage on which stories are played: the program and both vendors in one process and one simulated time.

With `sockets` the requests take the real way, through the emulators' servers; time is simulated all the same.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import Any, Self

import requests
from requests.adapters import BaseAdapter, HTTPAdapter
from runs.result import Result
from runs.stage import Stage
from simulation.carrier import Dead, Kill, Wire
from simulation.clockwork import Clockwork
from simulation.witness import Witness

LONGEST_RUN_S = 8 * 3600.0
"""Two jobs that hang for the two hours a job may take, and everything else that asks for patience."""


class Night(Stage):
    """Two empty portals, an org without people, a folder, and time that passes only when somebody waits."""

    def __init__(self, folder: Path, seed: int, *, sockets: bool = False) -> None:
        """Make the world; `seed` feeds what is random in the program."""
        self.clockwork = Clockwork()
        self._sockets = sockets
        super().__init__(folder, clock=self.clockwork.wall)
        self.wire = Wire(self.emu, self.clockwork)
        self.witness = Witness(self.emu.learnupon.app)
        self.emu.learnupon.app = self.witness
        self.random = Random(seed)
        self._saved = folder / "as-it-died"
        self.wire.on_death = self._photograph
        self.settings["salesforce"]["poll_seconds"] = 5

    def __enter__(self) -> Self:
        """Serve, where requests take the real way."""
        if self._sockets:
            self.emu.start()
        return self

    def go(self, *arguments: str, kill: Kill | None = None) -> Result | None:
        """Call the program as `run` does; None when the process was killed, its files being as they were then."""
        self.wire.begin(kill)
        self.witness.forget()
        self.clockwork.limit_s = self.clockwork.monotonic() + LONGEST_RUN_S
        transport = self._real if self._sockets else self.wire.transport
        try:
            return self.run(*arguments, clock=self.clockwork.clock, transport=transport, random=self.random)
        except Dead:
            self._put_back()
            return None
        finally:
            self.clockwork.limit_s = float("inf")

    def _real(self, pool: int) -> BaseAdapter:
        return _Counted(self.wire, pool)

    def _photograph(self) -> None:
        """Copy the state folder as the dying process leaves it: what unwinds after that, no real death would do."""
        shutil.rmtree(self._saved, ignore_errors=True)
        with suppress(shutil.Error):  # a file that another thread has just renamed
            shutil.copytree(self.state_dir, self._saved)

    def _put_back(self) -> None:
        shutil.rmtree(self.state_dir, ignore_errors=True)
        if self._saved.exists():
            self._saved.rename(self.state_dir)


class _Counted(HTTPAdapter):
    """The usual carrier, on which the process can die."""

    def __init__(self, wire: Wire, pool: int) -> None:
        super().__init__(pool_connections=4, pool_maxsize=max(pool, 1), max_retries=0)
        self._wire = wire

    def send(
        self,
        request: requests.PreparedRequest,
        stream: bool = False,  # noqa: FBT001, FBT002 - the signature is that of requests
        timeout: Any = None,
        verify: Any = True,  # noqa: FBT002
        cert: Any = None,
        proxies: Mapping[str, str] | None = None,
    ) -> requests.Response:
        """Send one request over a socket."""
        number = self._wire.leaves()
        try:
            return super().send(request, stream, timeout, verify, cert, proxies)
        finally:
            self._wire.arrived(number)
