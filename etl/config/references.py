"""References in texts: `${NAME}` is an environment variable, `${file:/path}` a mounted secret; nothing else is one.

What a reference stands for never appears in a message, and is not looked at for references again.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from etl.config.source import Place, Source

ReadFile = Callable[[Path], str]
"""Return the text of a secret file; OSError when it cannot be had, `Careless` when others may read it."""
_REFERENCE = re.compile(r"\$\{([^}]*)\}|\$\{")
_LARGEST = 1_000_000
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class Careless(OSError):
    """A secret file that everybody on the machine may read; the message says so and names no content."""


def read_secret(path: Path) -> str:
    """Return the text of a file that the group, but nobody else, may read too; UTF-8.

    OSError when it cannot be read or is no regular file, `Careless` when others may read it, UnicodeDecodeError.
    """
    # without O_NONBLOCK a named pipe would make this wait for a writer, before anybody could see what it is
    with open(path, "rb", opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK)) as file:
        mode = os.fstat(file.fileno()).st_mode
        if not stat.S_ISREG(mode):
            raise OSError(0, "is not a regular file")
        if mode & stat.S_IROTH:
            raise Careless(0, f"may be read by everybody (mode {stat.S_IMODE(mode):04o}): chmod o= it")
        data = file.read(_LARGEST + 1)
    if len(data) > _LARGEST:
        raise OSError(0, f"is larger than {_LARGEST:,} bytes")
    return data.decode()


class References:
    """Puts what they stand for in the place of all references of a source, and remembers which came from where."""

    def __init__(self, source: Source, environ: Mapping[str, str], read_file: ReadFile) -> None:
        """Take the source, whose faults grow, and the two places references lead to."""
        self.source = source
        self.environ = environ
        self.read_file = read_file
        self.used: dict[Place, tuple[str, ...]] = {}
        """The references of each place that has any, as written."""
        self.failed: set[Place] = set()
        """Places whose references could not be resolved: what else is wrong with their value cannot be known."""

    def resolve(self, value: Any, place: Place = ()) -> Any:
        """Return the value with every text in it resolved."""
        if isinstance(value, dict):
            return {key: self.resolve(inner, (*place, key)) for key, inner in value.items()}
        if isinstance(value, list):
            return [self.resolve(inner, (*place, i)) for i, inner in enumerate(value)]
        return self._text(value, place) if isinstance(value, str) else value

    def _text(self, text: str, place: Place) -> str:
        def stand_in(match: re.Match[str]) -> str:
            resolved = self._one(match, place)
            if resolved is None:
                self.failed.add(place)
            return resolved or ""

        return _REFERENCE.sub(stand_in, text)

    def _one(self, match: re.Match[str], place: Place) -> str | None:
        inner = match[1] or ""
        if inner.startswith("file:") and inner != "file:":
            self._note(place, match[0])
            return self._file(inner.removeprefix("file:"), place)
        if _NAME.fullmatch(inner):
            self._note(place, match[0])
            return self._variable(inner, place)
        # the text is not repeated: it may be a password that happens to hold these two characters
        self.source.blame(place, "holds a `${` that begins neither ${NAME} nor ${file:/path}")
        return None

    def _note(self, place: Place, reference: str) -> None:
        self.used[place] = (*self.used.get(place, ()), reference)

    def _variable(self, name: str, place: Place) -> str | None:
        if name not in self.environ:
            self.source.blame(place, f"the environment variable {name} is not set")
        return self.environ.get(name)

    def _file(self, path: str, place: Place) -> str | None:
        text = self.secret(Path(path), place)
        if text is not None and not text.rstrip("\r\n"):
            self.source.blame(place, f"the file {printable(path)} is empty")
            return None
        return None if text is None else text.rstrip("\r\n")

    def secret(self, path: Path, place: Place) -> str | None:
        """Return the text of a secret file, or None after blaming the place with the path and the reason."""
        name = printable(str(path))
        try:
            return self.read_file(path)
        except Careless as error:
            self.source.blame(place, f"the file {name} {error.strerror}")
        except OSError as error:
            self.source.blame(place, f"the file {name} cannot be read: {error.strerror or type(error).__name__}")
        except ValueError:  # no UTF-8, or a path with a NUL
            self.source.blame(place, f"the file {name} is not UTF-8 text")
        return None


def printable(text: str, most: int = 200) -> str:
    """Return a text of the file fit for a message of one line: control characters escaped, cut when long."""
    shown = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
    return shown if len(shown) <= most else shown[: most - 3] + "..."
