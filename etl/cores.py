"""Pure functions done on the other cores, by worker processes of our own; it knows nothing of what they work out.

A worker is a fresh interpreter at the other end of some sockets, never a fork: threads and their locks do not survive
one. It imports what it is asked to do and nothing else, holds no secret, and says nothing: whatever it cannot do is
done again by whoever asked, where an error can be told without a secret in it. It takes no part in Ctrl-C or SIGTERM
and ends when the other end of its sockets does, however that came about.
"""

from __future__ import annotations

import logging
import os
import pickle
import queue
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from etl.clock import Stopped
from etl.errors import StateFault
from etl.worker import packed, receive, send, unpacked

Result = TypeVar("Result")
_log = logging.getLogger(__name__)

_BOOT = "import sys; sys.path[:] = sys.argv[3:]; from etl.worker import serve; serve(sys.argv[1], sys.argv[2])"
_DEAF = (signal.SIGINT, signal.SIGTERM)
_APART = 1 << 14
"""Bytes from which an argument is sent beside the pickle: copied once less at either end."""
_GRACE_S = 1.0
_BUFFER = 1 << 20
"""Bytes that a socket takes before its sender must wait for the reader: a page and more; a system may allow less."""
_LANES = 2
"""Questions that a worker is sent at a time, one over each of its sockets: it never waits for the next."""


def available(quota: Path = Path("/sys/fs/cgroup/cpu.max")) -> int:
    """Return the number of cores this process may use: by its affinity and, in a container, by its quota."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    with suppress(OSError, ValueError):
        most, period = quota.read_text(encoding="ascii").split()
        return max(1, min(cores, -(-int(most) // int(period))))  # "max" is no number: no quota
    return cores


class Cores:
    """So many workers, started once the work has proved large; safe to share between threads.

    A function is sent by its name, so it must be one of a module; it must be pure, or at least leave the same when it
    is done twice. Arguments and results are pickled; large `bytes` and arrow buffers are not copied for that.
    """

    def __init__(self, workers: int, *, after: int = 0, imports: Iterable[str] = (), seconds: float = 600.0) -> None:
        """Plan for `workers` (none: everything is done here); no process is started yet.

        The first `after` calls are done here, so that little work never pays for a start (0.2 s of a core). Workers
        import the modules `imports` before they are given anything. One that is silent for `seconds` is given up.
        """
        self.planned = workers
        """How many workers there may come to be."""
        self._wanted = workers
        self._after = after
        self._imports = ",".join(imports)
        self._seconds = seconds
        self._calls = 0
        self._lock = threading.Lock()
        self._starting: list[_Worker] = []
        self._all: list[_Worker] = []
        self._idle: queue.SimpleQueue[_Lane | None] = queue.SimpleQueue()
        self._over: BaseException | None = None

    def __enter__(self) -> Self:
        """Give itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the workers."""
        self.close()

    @property
    def ready(self) -> int:
        """Return how many workers can be given something, busy ones among them."""
        with self._lock:
            self._welcome()
            return len(self._all) - len(self._starting)

    def start(self) -> None:
        """Start the workers at once, before it is known how much there is to do."""
        with self._lock:
            if self._over is None:
                self._start()

    def expect(self, calls: int) -> None:
        """Say how many calls there will be at least: for enough of them workers are started at once."""
        with self._lock:
            if calls > self._after and self._over is None:
                self._start()

    def call(self, function: Callable[..., Result], *arguments: Any) -> Result:
        """Return `function(*arguments)`, from a worker if one is ready; waits while all of them are busy.

        Raises what the function raises, and StateFault when a worker died or fell silent; Stopped after `close`.
        """
        lane = self._borrow()
        if lane is None:
            return function(*arguments)
        try:
            lane.send(function, arguments)
            done, result = lane.receive()
        except BaseException as error:  # noqa: BLE001 - a signal, too, leaves an answer nobody waits for
            raise self._lost(lane, error) from None
        with self._lock:
            if self._over is None:
                self._idle.put(lane)
            else:
                lane.drop()
        return result if done else function(*arguments)

    def _lost(self, lane: _Lane, error: BaseException) -> BaseException:
        """End all workers: one is gone, or in the middle of an answer nobody waits for; return what to raise."""
        gone = isinstance(error, StateFault)
        self._end(error if gone else Stopped())
        lane.drop()
        return (self._over or error) if gone else error

    def _borrow(self) -> _Lane | None:
        """Return a worker's lane that is free, after a while if need be; None when there is none to wait for."""
        with self._lock:
            self._calls += 1
            if self._over is not None:
                raise self._over
            if self._calls > self._after:
                self._start()
            self._welcome()
            if len(self._all) == len(self._starting):
                return None
        lane = self._idle.get()
        if lane is None:
            self._idle.put(None)  # for the next who waits
            raise self._over or Stopped
        return lane

    def _start(self) -> None:
        while self._wanted:
            self._wanted -= 1
            try:
                worker = _Worker(self._imports, self._seconds)
            except OSError as error:
                self._wanted = 0
                _log.warning("no worker process can be started (%s): this run uses fewer cores", error.strerror)
                return
            self._all.append(worker)
            self._starting.append(worker)

    def _welcome(self) -> None:
        for worker in list(self._starting):
            try:
                if not worker.is_up():
                    continue
                for lane in worker.lanes:
                    self._idle.put(lane)
            except OSError:
                self._all.remove(worker)
                _log.warning("a worker process %s at its start: this run uses fewer cores", worker.end())
                for lane in worker.lanes:
                    lane.drop()
            self._starting.remove(worker)

    def close(self) -> None:
        """End the workers; whoever still waits for one of them is told Stopped."""
        self._end(Stopped())

    def _end(self, why: BaseException) -> None:
        with self._lock:
            self._over = self._over or why
            workers, self._all, self._wanted = self._all, [], 0
            ours = [lane for worker in self._starting for lane in worker.lanes]
            self._starting = []
        with suppress(queue.Empty):
            while lane := self._idle.get_nowait():
                ours.append(lane)
        self._idle.put(None)
        for worker in workers:
            worker.hang_up()
        for worker in workers:
            worker.end()
        for lane in ours:  # whoever has borrowed one drops it
            lane.drop()


ALONE = Cores(0)
"""No other cores: everything is done here."""


class _Worker:
    """One worker process, and our ends of its sockets."""

    def __init__(self, imports: str, seconds: float) -> None:
        pairs = [socket.socketpair() for _ in range(_LANES)]
        self.lanes = [_Lane(self, ours, seconds) for ours, _ in pairs]
        theirs = [end.fileno() for _, end in pairs]
        for end in (end for pair in pairs for end in pair):
            end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _BUFFER)
        command = [sys.executable, "-c", _BOOT, imports, ",".join(map(str, theirs)), *sys.path]
        # A child keeps the mask of the thread that starts it: Ctrl-C and the SIGTERM of a whole group are ours alone.
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, _DEAF)
        try:
            null = subprocess.DEVNULL
            self._process = subprocess.Popen(command, pass_fds=theirs, stdin=null, stdout=null, stderr=null)  # noqa: S603 - ours
        except BaseException:
            for lane in self.lanes:
                lane.drop()
            raise
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
            for _, end in pairs:
                end.close()

    def is_up(self) -> bool:
        """Say whether it has said, on its first lane, that it is ready; raises OSError when it has ended instead."""
        return self.lanes[0].has_greeted()

    def hang_up(self) -> None:
        """Let it end by itself; whoever waits for its answer is woken."""
        for lane in self.lanes:
            lane.hang_up()

    def end(self) -> str:
        """See that it has ended, and return how, in words."""
        self.hang_up()
        try:
            status = self._process.wait(_GRACE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            status = self._process.wait()
        return f"was ended by {signal.Signals(-status).name}" if status < 0 else f"ended with status {status}"


class _Lane:
    """One socket to a worker: whoever has borrowed it asks one question at a time."""

    def __init__(self, worker: _Worker, link: socket.socket, seconds: float) -> None:
        self._worker = worker
        self._link = link
        self._seconds = seconds
        link.settimeout(seconds)

    def has_greeted(self) -> bool:
        """Say whether a first byte has come; raises OSError when none will."""
        self._link.setblocking(False)
        try:
            if not self._link.recv(1):
                raise ConnectionResetError
        except BlockingIOError:
            return False
        finally:
            self._link.settimeout(self._seconds)
        return True

    def send(self, function: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
        """Send a function and its arguments; StateFault when nobody is there to take them."""
        apart = [pickle.PickleBuffer(one) if isinstance(one, bytes) and len(one) > _APART else one for one in arguments]
        try:
            send(self._link, packed((function, apart)))
        except OSError as error:
            raise self._lost(error) from error

    def receive(self) -> tuple[bool, Any]:
        """Return whether it could be done, and the result; StateFault when no answer came."""
        try:
            parts = receive(self._link)
        except OSError as error:
            raise self._lost(error) from error
        return bool(parts), unpacked(parts) if parts else None

    def _lost(self, error: OSError) -> StateFault:
        silent = isinstance(error, TimeoutError)
        how = f"gave no answer in {self._seconds:g} s" if silent else self._worker.end()
        return StateFault(
            f"a worker process of this run {how}, so what it worked on is not known; most often memory had run out: "
            "give the run more of it, then run again"
        )

    def hang_up(self) -> None:
        """Let the other end know that nothing more comes."""
        with suppress(OSError):
            self._link.shutdown(socket.SHUT_RDWR)

    def drop(self) -> None:
        """Let go of the socket: only for the thread that has borrowed it, since another might read what comes next."""
        self._link.close()
