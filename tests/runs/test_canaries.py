"""Secrets stay secret whatever a server answers: no canary in output, log, report, state, traceback or argument."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import pytest
from runs import canaries
from runs.kept_secrets import referred_to, signing
from runs.programs import COMMAND, Program, ended
from runs.small_world import furnish, quick, stopped
from runs.stage import CONTACT_ROWS, Stage
from runs.worker_processes import held_until_they_wait

from etl.clock import Clock
from etl.cores import available
from etl.emulator.faults import Fault
from etl.emulator.messages import Request
from etl.emulator.salesforce.org import Refusal

_PAGES = 112
"""So many courses, a page each, that workers are started."""
_LEARNUPON, _SALESFORCE, _TOKEN = "/users", "/describe", "/oauth2/token"
_PADDING = ("", "x" * 70, "y" * 52)
"""What stands in front of an echo, so that excerpts are cut at several places of it."""


def _said(request: Request) -> str:
    """Return everything a request brought, as a server for developers would show it."""
    header = request.headers.get("authorization", "")
    pair = base64.b64decode(header.removeprefix("Basic ")).decode() if header.startswith("Basic ") else ""
    token = header.removeprefix("Bearer ")
    return " ".join((token, pair, header, quote(pair), pair.encode().hex(), request.body.decode()))


def _as_text(request: Request) -> str:
    return _said(request)


def _as_page(request: Request) -> str:
    return f"<html>{_said(request)}</html>"


def _as_error(request: Request) -> str:
    return json.dumps({"error": _said(request), "message": _said(request)})


def _as_array(request: Request) -> str:
    return json.dumps([{"errorCode": _said(request), "message": _said(request)}])


def _as_key(request: Request) -> str:
    return json.dumps({_said(request): []})


def _echo(match: str, status: int, shape: Callable[[Request], str], padding: str, headers: dict[str, str]) -> Fault:
    """Return a fault whose answer repeats what the request brought."""

    def repeat(request: Request) -> None:
        fault.body = shape(request).replace(_said(request)[:12], padding + _said(request)[:12], 1)
        fault.headers = {**headers, **dict(canaries.headers(request))}

    fault = Fault(match=match, status=status, body="-", times=None, hook=repeat)
    return fault


_SHAPES = (_as_text, _as_page, _as_error, _as_array, _as_key)


_REDIRECT = {"Location": f"https://elsewhere.example.net/?token={canaries.secret(canaries.REDIRECT)}"}


@pytest.mark.fault("S12")
@pytest.mark.parametrize("match", [_LEARNUPON, _SALESFORCE, _TOKEN])
def test_what_a_server_repeats_of_a_request_goes_no_further(stage: Stage, match: str) -> None:
    """A server that answers with the credentials it was sent, whole or cut, in any status, makes none of them seen."""
    furnish(stage)
    faults = stage.emu.learnupon_faults if match == _LEARNUPON else stage.emu.salesforce_faults
    for number, status in enumerate((200, 302, 400, 401, 429)):
        faults.clear()
        shape, padding = _SHAPES[number % len(_SHAPES)], _PADDING[number % len(_PADDING)]
        faults.add(_echo(match, status, shape, padding, _REDIRECT if status == 302 else {}))
        result = stage.run(clock=quick())
        assert result.code in {65, 69, 77}, (status, result.err)
        assert (result.effects, result.writing_calls) == ([], []), status


def test_a_token_answer_that_says_too_much_is_not_repeated(stage: Stage) -> None:
    """A refresh token, and an access token under another name, are neither kept nor told, whether sign-in succeeds."""
    furnish(stage)
    assert stage.run("-v", "plan", clock=quick()).code == 0
    assert {canaries.REFRESH_TOKEN, canaries.ID_TOKEN} <= stage.canaries.in_use
    renamed = Fault(match=_TOKEN, when="mid", times=None, replace=('"access_token"', '"accessToken"'))
    stage.emu.salesforce_faults.add(renamed)
    stopped(stage.run("-v", "run", clock=quick()), 69, "access_token", "/oauth2/token")


def test_words_about_rows_and_jobs_are_looked_through(stage: Stage) -> None:
    """A refusal of a row, of the run log or of a job that quotes a call, its token included, is told without it."""
    furnish(stage)
    token = canaries.secret(canaries.QUOTED)
    quote = f"callout failed: Authorization: Bearer {token}, {stage.org.org_id}!{token}"
    kinds: tuple[tuple[str, dict[str, str], int], ...] = (
        (CONTACT_ROWS, {}, 1),
        ("LearnUpon_Sync_Run__c", {"Command__c": "run"}, 77),
    )
    for name, fields, code in kinds:
        stage.org.refuse = [Refusal(name, fields, f"CUSTOM_ERROR:{quote}")]
        result = stage.run("-v", "run", clock=quick())
        assert result.code == code, result.err
        said = result.err + str(result.table("refused.csv"))
        assert "callout failed: Authorization: Bearer ***" in said
    stage.org.refuse = []
    stage.configure(salesforce={"full_read_days": 0})
    failed = ('"state":"JobComplete"', f'"state":"Failed","errorMessage":"{quote}"')
    for where in ("GET .*/jobs/query/[^/]+$", "GET .*/jobs/ingest/[^/]+$"):
        stage.emu.salesforce_faults.clear()
        stage.emu.salesforce_faults.add(Fault(match=where, when="mid", times=None, replace=failed))
        told = stage.run("-v", "run", clock=quick()).err
        assert "Failed" in told
        assert "ingest" in where or "callout failed: Authorization: Bearer ***" in told


def test_secrets_that_are_referred_to_stay_where_they_are(stage: Stage) -> None:
    """Values of ${NAME} and ${file:...} and the addresses to notify are in no byte a run leaves, down or not."""
    furnish(stage)
    folder = stage.folder / canaries.SECRETS
    folder.mkdir()
    environ: dict[str, str] = {}
    for number, portal in enumerate(stage.settings["portals"]):
        kept = folder / f"password-{number}"
        kept.touch(mode=0o600)
        kept.write_text(portal["password"] + "\n", encoding="utf-8")
        environ[f"USERNAME_{number}"] = portal["username"]
        portal |= {"username": f"${{USERNAME_{number}}}", "password": f"${{file:{kept}}}"}
    hook = f"http://127.0.0.1:9/{canaries.secret(canaries.CHANNEL)}"
    stage.configure(notify={"ping_url": f"{hook}?key={canaries.secret(canaries.SWITCH)}", "slack_webhook": hook})
    result = stage.run("-v", "run", clock=quick(), environ=environ)
    assert result.code == 0, result.err
    assert "notify.ping_url could not be told" in result.err
    assert "notify.slack_webhook could not be told" in result.err
    environ["USERNAME_1"] = canaries.secret(canaries.VARIABLE, "\n")
    assert stage.run("-v", "run", clock=quick(), environ=environ).code == 78


def test_a_private_key_and_what_it_signs_are_not_told(stage: Stage) -> None:
    """Neither the private key's text nor an assertion made with it shows, whether Salesforce takes it or repeats it."""
    furnish(stage)
    path = signing(stage)
    pem = path.read_text(encoding="utf-8")
    assert stage.run("-v", "plan", clock=quick()).code == 0
    assert canaries.ASSERTION in stage.canaries.in_use
    stage.emu.salesforce_faults.add(_echo(_TOKEN, 400, _as_error, "", {}))
    stopped(stage.run("-v", "run", clock=quick()), 77, "sign-in refused")
    path.write_text(pem[:400], encoding="utf-8")
    broken = stage.run("-v", "run", clock=quick())
    assert (broken.code, pem[80:120] in broken.err) == (78, False)


def test_a_token_of_the_configuration_is_not_told(stage: Stage) -> None:
    """With auth: access_token the token shows nowhere, refused or not."""
    furnish(stage)
    stage.configure(salesforce={"auth": "access_token", "access_token": stage.org.access_token})
    assert stage.run("-v", "plan", clock=quick()).code == 0
    stage.org.expire_sessions()
    stopped(stage.run("-v", "run", clock=quick()), 77, "INVALID_SESSION_ID", "salesforce.auth")


def test_a_bug_tells_no_secret(stage: Stage) -> None:
    """A traceback shows code and places: no secret that was at hand, in a message or a local variable."""
    furnish(stage)
    portal = stage.settings["portals"][0]

    def broken() -> float:
        held = portal["password"]
        if len(stage.emu.salesforce.calls) > 12:
            raise RuntimeError(held)
        return 0.0

    result = stage.run("-v", "run", clock=Clock(monotonic=broken))
    assert (result.code, result.effects) == (70, [])
    assert "RuntimeError" in result.err


@pytest.mark.fault("S12", "S31", "D4", "D6")
def test_every_place_of_a_secret_was_in_use(tmp_path: Path) -> None:
    """Each of at least twelve places holds a secret of its own that went over the wire, and none of them shows."""
    assert len({canaries.mark(place) for place in canaries.PLACES}) == len(canaries.PLACES) >= 12
    with Stage(tmp_path) as stage:
        furnish(stage)
        environ = referred_to(stage)
        words = f"CUSTOM_ERROR:Authorization: Bearer {canaries.secret(canaries.QUOTED)}"
        stage.org.refuse = [Refusal(CONTACT_ROWS, {}, words)]
        assert stage.run(environ=environ).code == 1
        signing(stage)
        assert stage.run("plan", environ=environ).code == 0
        stage.configure(salesforce={"auth": "access_token", "access_token": stage.org.access_token})
        assert stage.run("plan", environ=environ).code == 0
        redirect = Fault(match=_LEARNUPON, status=302, headers=_REDIRECT, times=None)
        redirect.hook = lambda _: stage.canaries.saw(str(redirect.headers).encode())
        stage.emu.learnupon_faults.add(redirect)
        assert stage.run(environ=environ).code == 65
    assert stage.canaries.in_use == set(canaries.PLACES)


def test_no_argument_and_no_option_holds_a_secret(stage: Stage) -> None:
    """What the process list shows of a running program and its workers holds no secret, and no option takes one."""
    learner = stage.learner()
    for _ in range(_PAGES):
        stage.enroll(learner)
    listed: list[bytes] = []

    def look(_: Request) -> None:
        processes = [process.pid, *held_until_they_wait(process.pid)]
        listed.extend(Path(f"/proc/{pid}/cmdline").read_bytes() for pid in processes)

    stage.emu.learnupon_faults.add(Fault(match=r"/academy/.*enrollments/search", nth=_PAGES - 4, hook=look))
    process = Program(stage, (*COMMAND, "-v", "--config", str(stage.config()), "plan"))
    ((code, said),) = ended([process])
    assert code == 0, said
    assert [b"etl" in line for line in listed] == [True] * (len(listed) or 1)
    assert len(listed) > 1 or available() < 2, "no worker was started"
    stage.canaries.look("the process list", b"\n".join(listed))
    pages = [stage.run(*words).out for words in (("--help",), ("run", "--help"), ("check", "--help"))]
    assert not re.findall(r"--\S*(?:password|token|secret|key)", " ".join(pages))
