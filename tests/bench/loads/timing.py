"""The part of a script that is measured: its seconds, as one line of JSON on standard output."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def stage() -> Iterator[None]:
    """Measure a block: wall and CPU seconds of this process and of those it has waited for."""
    began, used = time.perf_counter(), os.times()
    yield
    now = os.times()
    cpu = sum(now[:4]) - sum(used[:4])
    sys.stdout.write(json.dumps({"stage_s": time.perf_counter() - began, "stage_cpu_s": cpu}) + "\n")
