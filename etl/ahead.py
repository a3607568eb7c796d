"""Work done ahead on a few threads, its results given in order; it waits for nothing else, so nobody waits long for it.

A thread pays where arrow and numpy do the work: they let go of the interpreter meanwhile.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from itertools import starmap
from typing import Any, TypeVar

Result = TypeVar("Result")
_END: Any = object()


def in_order(function: Callable[..., Result], several: Iterable[tuple[Any, ...]], *, at_once: int) -> Iterator[Result]:
    """Give `function(*arguments)` for each of `several`, in their order; so many are worked on `at_once`.

    `several` is gone through in the calling thread, no further than that. With one at a time no thread is started.
    Raises what the function raises.
    """
    if at_once < 2:
        yield from starmap(function, several)
        return
    under_way: deque[Future[Result]] = deque()
    with ThreadPoolExecutor(at_once) as crew:
        for arguments in several:
            if len(under_way) == at_once:
                yield under_way.popleft().result()
            under_way.append(crew.submit(function, *arguments))
        while under_way:
            yield under_way.popleft().result()


def one_ahead(items: Generator[Result]) -> Generator[Result]:
    """Give what `items` gives; while one is used, the next is made on a thread.

    Closing this waits for the one that is being made, and closes `items`. Raises what making one raises, when it would
    be that one's turn.
    """
    with closing(items), ThreadPoolExecutor(1) as crew:
        coming = crew.submit(next, items, _END)
        while (item := coming.result()) is not _END:
            coming = crew.submit(next, items, _END)
            yield item
