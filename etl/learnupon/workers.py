"""A few threads that do a list of jobs and stop together at the first failure; they know nothing of LearnUpon.

Threads of its own rather than an executor's, since those are joined when the program ends: a thread that waits for a
silent portal would hold up a stop by signal for a minute.
"""

from __future__ import annotations

import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable

from etl.clock import Clock, Stopped

Job = Callable[[], None]
_TICK_S = 0.2
_GRACE_S = 2.0


def run_all(jobs: Iterable[Job], *, threads: int, stop: threading.Event, clock: Clock, tick: Job) -> None:
    """Do every job, first come first served; `tick` is called now and then in the calling thread.

    The first failure sets `stop`, waits a moment for the other threads, and is raised here. An exception in the
    calling thread (a signal, a clock that was stopped) does the same. When `stop` is set by somebody else, Stopped
    is raised: never does this return with a job undone.
    """
    todo = deque(jobs)
    ended: queue.SimpleQueue[BaseException | None] = queue.SimpleQueue()
    crew = [
        threading.Thread(target=_work, args=(todo, stop, ended), daemon=True, name=f"learnupon-{number}")
        for number in range(min(threads, len(todo)))
    ]
    for thread in crew:
        thread.start()
    try:
        _watch(crew, ended, clock, tick)
    except BaseException:
        stop.set()
        deadline = time.monotonic() + _GRACE_S
        for thread in crew:
            thread.join(max(0.0, deadline - time.monotonic()))
        raise
    if stop.is_set():
        # Stopped from outside: threads ended without an error, but not with all of their jobs done.
        raise Stopped


def _work(todo: deque[Job], stop: threading.Event, ended: queue.SimpleQueue[BaseException | None]) -> None:
    try:
        while not stop.is_set():
            try:
                job = todo.popleft()
            except IndexError:
                break
            job()
    except Stopped:
        stop.set()
    except BaseException as error:  # noqa: BLE001 - it is raised again in the thread that waits
        stop.set()
        ended.put(error)
    finally:
        ended.put(None)


def _watch(
    crew: list[threading.Thread], ended: queue.SimpleQueue[BaseException | None], clock: Clock, tick: Job
) -> None:
    working, failure = len(crew), None
    while working:
        clock.monotonic()  # raises once the clock was stopped: a silent portal is then not waited for
        try:
            event = ended.get(timeout=_TICK_S)
        except queue.Empty:
            tick()
            continue
        if event is None:
            working -= 1
        else:
            failure = event
            break
    tick()
    if failure is not None:
        raise failure
