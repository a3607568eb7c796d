"""Signals that ask the program to end: raised in the main thread, or held back while a report is being written.

It decides no exit code and tidies nothing up. What is raised is no Exception: no handler on its way may take it for
something else and go on.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_TWICE_S = 1.0


class Signalled(BaseException):
    """SIGINT or SIGTERM came, and nothing holds it back."""

    def __init__(self, signum: int) -> None:
        """Remember which."""
        super().__init__(signal.Signals(signum).name)
        self.signum = signum


class Interruptions:
    """The first signal is raised or, while `hold` is in force, noted; one more a second later ends the program."""

    def __init__(self) -> None:
        """Nothing has come yet, and nothing is held back."""
        self.noted: int | None = None
        """The signal that came; one that was raised is noted too, since whatever it met may have swallowed it."""
        self._first: float | None = None
        self._held = False
        self._cut = False

    @contextmanager
    def watched(self, *, for_good: bool = False) -> Iterator[None]:
        """Handle SIGINT and SIGTERM inside the block.

        Afterwards whoever handled them before does so again; `for_good`, of a program that has its exit code and is
        about to end with it, they are ignored.
        """
        former = {signum: signal.signal(signum, self._came) for signum in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for signum, handler in former.items():
                signal.signal(signum, signal.SIG_IGN if for_good else handler)

    def _came(self, signum: int, _: FrameType | None) -> None:
        if self._first is not None:
            if time.monotonic() - self._first > _TWICE_S:  # sooner, it is the same one, sent to the group and to us
                signal.signal(signum, signal.SIG_DFL)
                signal.raise_signal(signum)
            return
        self._first = time.monotonic()
        self.noted = signum
        if self._cut or not self._held:
            raise Signalled(signum)

    def hold(self) -> None:
        """From now on note a signal instead of raising it."""
        self._held = True

    def release(self) -> None:
        """From now on raise a signal, at once when one was noted."""
        self._held = False
        if self.noted is not None:
            raise Signalled(self.noted)

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold signals back inside the block, and raise one that came behind it.

        For imports: extension modules try others and swallow whatever is raised meanwhile (a run that had been told to
        stop went on to its end).
        """
        self.hold()
        yield
        self.release()

    @contextmanager
    def cutting(self) -> Iterator[None]:
        """Let a signal that is held back be raised inside the block as well as noted: it may cut short what is there.

        Only the first signal is ever raised, so whoever catches it can go on with what must not be cut.
        """
        self._cut = True
        try:
            yield
        finally:
            self._cut = False
