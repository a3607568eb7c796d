"""Rows and tables that tell their owner of changes, so that no cached page outlives one; no LearnUpon rule is here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Mapping

K = TypeVar("K")
V = TypeVar("V")


class Owner(Protocol):
    """Whoever keeps cached pages of rows."""

    def touch(self) -> None:
        """Throw the cached pages away."""
        ...


class Watched(dict[K, V]):
    """A dict whose every change touches its owner; copies and pickles of it are plain dicts."""

    __slots__ = ("_owner",)

    def __init__(self, owner: Owner, values: Mapping[K, V] | None = None) -> None:
        """Take the values over; making a row is no change yet."""
        super().__init__(values or {})
        self._owner = owner

    def __setitem__(self, key: K, value: V) -> None:
        """Set and touch."""
        super().__setitem__(key, value)
        self._owner.touch()

    def __delitem__(self, key: K) -> None:
        """Delete and touch."""
        super().__delitem__(key)
        self._owner.touch()

    def __ior__(self, other: Any) -> Any:  # type: ignore[misc] # wider than dict's overloads
        """Update and touch."""
        self.update(other)
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        """Copy as a plain dict: a copy has nobody to tell."""
        return dict, (dict(self),)

    def update(self, *args: Any, **kwargs: Any) -> None:
        """Update and touch."""
        super().update(*args, **kwargs)
        self._owner.touch()

    def pop(self, *args: Any) -> Any:
        """Pop and touch."""
        value = super().pop(*args)
        self._owner.touch()
        return value

    def popitem(self) -> tuple[K, V]:
        """Pop the newest and touch."""
        item = super().popitem()
        self._owner.touch()
        return item

    def setdefault(self, key: K, default: Any = None) -> Any:
        """Set when missing, and touch."""
        value = super().setdefault(key, default)
        self._owner.touch()
        return value

    def clear(self) -> None:
        """Empty and touch."""
        super().clear()
        self._owner.touch()


Row = Watched[str, Any]
Table = Watched[int, Row]
