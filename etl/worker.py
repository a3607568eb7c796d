"""The life of a worker process, and how messages pass between it and `etl.cores`; it starts nothing itself.

It imports what it is asked to do and little else, since every worker pays for that at its start.
"""

from __future__ import annotations

import gc
import os
import pickle
import select
import socket
import struct
import threading
from importlib import import_module
from typing import Any

_HEAD = struct.Struct("<QI")
"""Before each message: the length of its pickle, and how many buffers follow."""
UNDONE = (_HEAD.pack(0, 0),)
"""The answer of a worker that could not do what it was asked."""
Piece = bytes | memoryview


def packed(message: Any) -> tuple[Piece, ...]:
    """Return a message in the pieces that go over the wire; its large buffers are not copied."""
    apart: list[pickle.PickleBuffer] = []
    text = pickle.dumps(message, protocol=5, buffer_callback=apart.append)
    views = [one.raw() for one in apart]
    lengths = struct.pack(f"<{len(views)}Q", *map(len, views))
    return _HEAD.pack(len(text), len(views)) + lengths + text, *views


def send(link: socket.socket, pieces: tuple[Piece, ...]) -> None:
    """Send a packed message."""
    for piece in pieces:
        link.sendall(piece)


def receive(link: socket.socket) -> list[bytes]:
    """Return the next message: its pickle, then its buffers; nothing for UNDONE. OSError when the socket has ended."""
    size, count = _HEAD.unpack(_exactly(link, _HEAD.size))
    if not size:
        return []
    lengths = struct.unpack(f"<{count}Q", _exactly(link, 8 * count))
    return [_exactly(link, length) for length in (size, *lengths)]


def unpacked(parts: list[bytes]) -> Any:
    """Return a received message as it was before it was packed."""
    return pickle.loads(parts[0], buffers=parts[1:])  # noqa: S301 - from a process of our own


def _exactly(link: socket.socket, size: int) -> bytes:
    pieces: list[bytes] = []
    while size:
        piece = link.recv(size, socket.MSG_WAITALL)
        if not piece:
            raise ConnectionResetError
        pieces.append(piece)
        size -= len(piece)
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)


def serve(imports: str, lanes: str) -> None:
    """Do what is asked over the sockets of these numbers until they end: the life of a worker.

    `imports` are modules that may be asked for, imported before the first socket says that all are served.
    """
    first, *others = [socket.socket(fileno=int(number)) for number in lanes.split(",")]
    threading.Thread(target=_end_with, args=(first,), daemon=True).start()
    gc.disable()  # pure functions leave no cycles, and looking for some costs a tenth of the time
    for name in filter(None, imports.split(",")):
        import_module(name)
    for other in others:
        threading.Thread(target=_attend, args=(other,), daemon=True).start()
    try:
        first.sendall(b".")
    except OSError:
        os._exit(0)
    _attend(first)


def _attend(link: socket.socket) -> None:
    """Answer what is asked over one socket; while one thread works an answer out, another takes in what is next."""
    try:
        while True:
            send(link, _answer(receive(link)))
    except OSError:
        os._exit(0)


def _answer(question: list[bytes]) -> tuple[Piece, ...]:
    try:
        function, arguments = unpacked(question)
        return packed(function(*arguments))
    except Exception:  # noqa: BLE001 - whoever asked does it again and meets the same, with its message
        return UNDONE


def _end_with(link: socket.socket) -> None:
    """End this process with the other end of a socket, whatever it is doing: nobody is left to want it."""
    watch = select.poll()
    watch.register(link, 0)  # hanging up is told unasked
    while not watch.poll():
        pass
    os._exit(0)
