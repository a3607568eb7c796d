"""Faults that a server plays on chosen requests, scripted in process or over HTTP; it knows no vendor."""

from __future__ import annotations

import random
import re
import threading
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, unquote_plus

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

WHENS = ("before", "after", "mid")


@dataclass
class Fault:
    """One thing that goes wrong, for the requests that it matches.

    `match` is a regular expression searched in ``METHOD path?query`` (both parts percent-decoded).
    `nth` is 1-based, counted from the moment the fault was added; `times` None means for ever.
    `when`: ``before`` = no effect, this answer instead; ``after`` = the effect happens, then the answer is
    replaced or lost; ``mid`` = the real answer, altered. A ``before`` fault that names no answer of its own
    (no status, body or reset) only delays, hooks or ticks, and alters the real answer like ``mid``.
    `delay_s` is in seconds. `close_after_bytes` cuts the body (never compressed then): with
    `honest_length` the Content-Length still promises all of it, without it the body is delimited by the close.
    `truncate_request` keeps only that many bytes of the request's body: an upload stored short.
    `hook` gets the request; `tick` names a hook of the server, with `tick_args`.
    """

    match: str
    nth: int | None = None
    times: int | None = 1
    when: str = "before"
    status: int | None = None
    body: str | bytes | None = None
    headers: dict[str, str] = field(default_factory=dict)
    drop_headers: list[str] = field(default_factory=list)
    delay_s: float = 0.0
    reset: bool = False
    close_after_bytes: int | None = None
    honest_length: bool = True
    replace: tuple[str, str] | None = None
    truncate_request: int | None = None
    hook: Callable[[Any], object] | None = None
    tick: str | None = None
    tick_args: dict[str, Any] = field(default_factory=dict)
    prob: float | None = None

    def __post_init__(self) -> None:
        """Refuse a fault that could never fire as meant (ValueError)."""
        if self.when not in WHENS:
            raise ValueError(f"when is {self.when!r}, not one of {', '.join(WHENS)}")
        re.compile(self.match)
        if self.replace is not None:
            old, new = self.replace
            self.replace = (old, new)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Fault:
        """Build a fault from its JSON form (everything but `hook`); ValueError names what is wrong."""
        known = {one.name for one in fields(cls)} - {"hook"}
        unknown = sorted(set(value) - known)
        if unknown:
            raise ValueError(f"unknown fault keys: {', '.join(unknown)}")
        if "match" not in value:
            raise ValueError("a fault needs 'match'")
        try:
            return cls(**value)
        except (TypeError, re.error) as error:
            raise ValueError(f"not a fault: {error}") from error

    @property
    def answers(self) -> bool:
        """Whether the fault has an answer of its own (or none at all: a reset)."""
        return self.reset or self.status is not None or self.body is not None


@dataclass(frozen=True)
class Fired:
    """A fault that hit a request."""

    fault_id: int
    target: str
    when: str


@dataclass
class _Armed:
    fault_id: int
    fault: Fault
    pattern: re.Pattern[str]
    seen: int = 0
    hits: int = 0


class FaultScript:
    """The faults of one server; safe to change while requests are served."""

    def __init__(self, seed: int = 0) -> None:
        """Start without faults; `seed` feeds the dice of faults with `prob`."""
        self.fired: list[Fired] = []
        self._armed: list[_Armed] = []
        self._dice = random.Random(seed)
        self._lock = threading.Lock()
        self._next_id = 1

    def add(self, fault: Fault) -> int:
        """Arm a fault and return its number."""
        with self._lock:
            fault_id, self._next_id = self._next_id, self._next_id + 1
            self._armed = [*self._armed, _Armed(fault_id, fault, re.compile(fault.match))]
        return fault_id

    def clear(self) -> None:
        """Disarm every fault; what has fired stays on record."""
        with self._lock:
            self._armed = []

    def take(self, method: str, target: str) -> list[Fault]:
        """Faults that hit this request, in the order they were added; counts it for all that match."""
        if not self._armed:
            return []
        path, mark, query = target.partition("?")
        subject = f"{method} {unquote(path)}{mark}{unquote_plus(query)}"
        with self._lock:
            hit = [one for one in self._armed if one.pattern.search(subject) and self._fires(one)]
            self.fired.extend(Fired(one.fault_id, subject, one.fault.when) for one in hit)
        return [one.fault for one in hit]

    def _fires(self, armed: _Armed) -> bool:
        fault = armed.fault
        armed.seen += 1
        if fault.nth is not None and armed.seen < fault.nth:
            return False
        if fault.times is not None and armed.hits >= fault.times:
            return False
        if fault.prob is not None and self._dice.random() >= fault.prob:
            return False
        armed.hits += 1
        return True
