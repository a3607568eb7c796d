"""Pages decoded by a worker: the same columns, the same refusals and the same calls as without one."""

from __future__ import annotations

import json
import operator
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import pyarrow as pa
import pytest
from http_stage import Reply
from hypothesis import given, settings
from hypothesis import strategies as st
from scripted_portal import KEY, ScriptedPortal, small_portal

from etl.cores import Cores
from etl.errors import RetryableAnswer, SourceUntrusted, StateFault
from etl.learnupon import PortalRead, pages, read_portal

SHEETS = (pages.USERS, pages.ENROLLMENTS, pages.PATH_ENROLLMENTS)
Result = TypeVar("Result")
FIELDS = sorted({field for sheet in SHEETS for _, field, _ in sheet._columns})
TIMES = ("2026-05-06T07:08:09Z", "2026-05-06 07:08:09 UTC", "2026-05-06T07:08:09.5Z")
PLAIN = st.sampled_from([1, 7, 123456, "5", "passed", TIMES[0], None, False])
ODD = st.sampled_from([0, -1, 1.5, 10**20, "", "x", True, [1], "ünï", *TIMES])


def decoders(workers: int) -> Cores:
    """Return that many workers that are up."""
    cores = Cores(workers, imports=["etl.learnupon.pages"])
    cores.call(len, b"")
    end = time.monotonic() + 60
    while cores.ready < workers:
        assert time.monotonic() < end, "the workers did not start"
        time.sleep(0.01)
    return cores


@pytest.fixture(scope="module")
def cores() -> Iterator[Cores]:
    """Give a worker that is up."""
    with decoders(1) as made:
        yield made


def rows(values: st.SearchStrategy[Any]) -> st.SearchStrategy[list[dict[str, Any]]]:
    """Return rows that LearnUpon may send, some of their fields with other values."""
    ids = dict.fromkeys(("id", "user_id", "course_id", "lp_id"), st.integers(1, 9))
    plain = st.fixed_dictionaries({**ids, "status": st.just("passed")})
    changed = st.dictionaries(st.sampled_from(FIELDS), values, max_size=4)
    return st.lists(st.builds(operator.or_, plain, changed), max_size=4)


def outcome(decode: Any) -> tuple[str, object]:
    """Return what came of decoding: the columns, or the error with its words and what it ends as."""
    try:
        return "columns", decode().to_pylist()
    except (SourceUntrusted, RetryableAnswer) as error:
        return type(error).__name__, (str(error), str(getattr(error, "final", None)))


@settings(deadline=None, max_examples=150)
@given(
    st.sampled_from(SHEETS),
    st.one_of(rows(PLAIN), rows(st.one_of(PLAIN, ODD))),
    st.integers(0, 40),
    st.sampled_from(["", "error", "id"]),
)
def test_a_page_is_the_same_wherever_it_is_decoded(
    cores: Cores, sheet: pages.Sheet[Any], listed: list[dict[str, Any]], cut: int, more: str
) -> None:
    """Whatever a page holds, cut or whole: the same columns or the same error here and in a worker."""
    body = json.dumps({**({more: "no such key"} if more else {}), sheet.keys[0]: listed}).encode()
    body = body[: len(body) - max(0, cut - 30)]
    there = outcome(lambda: pages.from_buffer(sheet, cores.call(pages.as_buffer, sheet, body, "GET /x")))
    assert there == outcome(lambda: sheet.batch(sheet.decode(body, "GET /x"), "GET /x"))


def test_a_page_comes_back_with_its_types(cores: Cores) -> None:
    """The columns of a page that a worker decoded have the types of their frame, on a page without rows too."""
    for body in (b'{"enrollments": []}', b'{"enrollments": [{"id":1,"user_id":2,"course_id":3,"status":"passed"}]}'):
        buffer = cores.call(pages.as_buffer, pages.ENROLLMENTS, body, "x")
        assert isinstance(buffer, pa.Buffer)
        assert pages.from_buffer(pages.ENROLLMENTS, buffer).schema == pages.ENROLLMENTS.schema


ROWS = st.lists(
    st.builds(lambda number: {"id": number, "user_id": 2, "course_id": 3, "status": "passed"}, st.integers(1, 99))
)


@given(st.lists(ROWS, min_size=1, max_size=3), st.booleans())
def test_a_list_that_comes_twice_is_refused(lists: list[list[dict[str, Any]]], apart: bool) -> None:  # noqa: FBT001
    """Of two lists under one key the decoder takes the last: whichever of them has rows, the answer is refused."""
    between = ', "more": {}, ' if apart else ", "
    body = "{" + between.join(f'"enrollments": {json.dumps(rows)}' for rows in lists) + "}"
    if len(lists) == 1:
        assert len(pages.ENROLLMENTS.decode(body.encode(), "GET /x")) == len(lists[0])
        return
    with pytest.raises(SourceUntrusted, match="the key enrollments twice in one object"):
        pages.ENROLLMENTS.decode(body.encode(), "GET /x")


def whole(read: PortalRead) -> list[Any]:
    """Return all that was read, for comparing."""
    frames = [read.users, read.courses, read.paths, read.path_courses]
    parks = [read.enrollments, read.path_enrollments]
    return [[one.to_dict() for one in frames], [sorted(park.read().to_pylist(), key=str) for park in parks]]


def test_a_portal_is_the_same_with_workers_as_without(tmp_path: Path, cores: Cores) -> None:
    """With workers the same rows are read by the same calls."""
    with small_portal() as portal:
        alone = portal.read(tmp_path / "alone")
        asked = sorted(portal.asked)
        client = portal.client()
        helped = read_portal(client, tmp_path / "helped", cores=cores)
        assert client.calls == len(asked)
        assert sorted(portal.asked) == sorted(asked * 2)
    assert whole(helped) == whole(alone)


def test_a_cut_page_is_asked_for_again(tmp_path: Path, cores: Cores) -> None:
    """A page whose JSON ends too early is retried, and refused when it stays so, though a worker decodes it."""
    cut = Reply(200, b'{"enrollments": [{"id": 1', {"LU-Has-Next-Page": "false"})
    with small_portal() as portal:
        portal.alter("^/enrollments/search.*course_id=20", cut, nth=1)
        client = portal.client()
        assert read_portal(client, tmp_path / "a", cores=cores).enrollments.rows == 5
        assert client.calls == 9
        portal.alter("^/enrollments/search.*course_id=20", cut)
        with pytest.raises(SourceUntrusted, match="malformed JSON of 25 bytes"):
            read_portal(portal.client(), tmp_path / "b", cores=cores)


def test_no_secret_is_told_though_a_worker_met_the_error(tmp_path: Path, cores: Cores) -> None:
    """An answer that repeats the key is quoted without it: the words are found where the key is known."""
    body = json.dumps({"error": f"no rights for {KEY}", "enrollments": []}).encode()
    with small_portal() as portal:
        portal.alter("^/enrollments/search", Reply(200, body, {"LU-Has-Next-Page": "false"}))
        with pytest.raises(SourceUntrusted, match="no rights for") as caught:
            read_portal(portal.client(), tmp_path, cores=cores)
    assert KEY.removeprefix("Basic ")[:12] not in str(caught.value)


def test_a_killed_worker_ends_the_read(tmp_path: Path) -> None:
    """A worker killed in the middle of a read ends it at once with 74: nothing of the portal is used."""

    def kill(reply: Reply) -> Reply:
        os.kill(pid, signal.SIGKILL)
        return reply

    with decoders(1) as cores, ScriptedPortal() as portal:
        pid = cores.call(os.getpid)
        portal.alter("^/users", kill)
        began = time.monotonic()
        with pytest.raises(StateFault, match=r"worker process of this run was ended by SIGKILL") as caught:
            read_portal(portal.client(), tmp_path, cores=cores)
    assert caught.value.exit_code == 74
    assert time.monotonic() - began < 5


class Slow(Cores):
    """A worker that is done with its first page only when another request has been sent."""

    def __init__(self, portal: ScriptedPortal) -> None:
        """Wait for requests to this portal."""
        super().__init__(0)
        self.planned = 1
        self._portal = portal
        self.overtaken: list[bool] = []

    def call(self, function: Callable[..., Result], *arguments: Any) -> Result:
        """Do it here, the first time late."""
        if not self.overtaken:
            sent, patient_until = len(self._portal.asked), time.monotonic() + 5
            self.overtaken.append(False)
            while not self.overtaken[0] and time.monotonic() < patient_until:
                self.overtaken[0] = len(self._portal.asked) > sent
                time.sleep(0.002)
        return function(*arguments)


def test_a_page_that_is_decoded_holds_no_request_up(tmp_path: Path) -> None:
    """With concurrency 1 the next request is sent while a worker decodes a page, and never two are under way."""
    with small_portal() as portal:
        most = portal.crowd()
        cores = Slow(portal)
        assert read_portal(portal.client(concurrency=1), tmp_path, cores=cores).enrollments.rows == 5
    assert cores.overtaken == [True]
    assert max(most) == 1
