"""Hears which ids LearnUpon says are gone, run by run; it answers nothing itself, and judges nothing."""

from __future__ import annotations

import json
import re

from etl.emulator.messages import Request, Response
from etl.emulator.server import App, Call

_QUESTION = re.compile(r"/(?:users|enrollments|learning_path_enrollments)/\d+$")
_GONE = {200, 404}
"""Statuses of an answer that may say so: 200 with an empty list."""


class Witness:
    """LearnUpon's app with somebody who listens to what it answers."""

    name = "learnupon"

    def __init__(self, app: App) -> None:
        """Listen to this app."""
        self._app = app
        self._said: set[str] = set()

    def handle(self, request: Request) -> Response:
        """Let the app answer, and remember whether it said that there is no such id."""
        response = self._app.handle(request)
        if _QUESTION.search(request.path) and _says_gone(response):
            self._said.add(request.path)
        return response

    def forget(self) -> None:
        """Begin anew, with a run."""
        self._said.clear()

    def said(self, calls: list[Call]) -> frozenset[str]:
        """Return the paths said to be gone in answers that arrived: what was lost, or was another answer, is none."""
        arrived = {call.target.split("?")[0] for call in calls if call.status in _GONE}
        return frozenset(self._said & arrived)


def _says_gone(response: Response) -> bool:
    return response.status == 404 or (response.status == 200 and not any(json.loads(response.body).values()))
