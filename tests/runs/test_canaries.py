"""Secrets stay secret whatever a server answers: no canary in output, log, report, state, traceback or argument."""

from __future__ import annotations

import base64
import json
import re
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from runs import canaries
from runs.small_world import furnish, quick, stopped
from runs.stage import CONTACT_ROWS, Stage

from etl.clock import Clock
from etl.emulator.faults import Fault
from etl.emulator.messages import Request
from etl.emulator.salesforce.org import Refusal

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


_REDIRECT = {"Location": f"https://elsewhere.example.net/{canaries.MARK}?token={canaries.MARK}"}


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
    extra = f'"refresh_token":"5Aep861{canaries.MARK}","id_token":"{canaries.MARK}","token_type"'
    stage.emu.salesforce_faults.add(Fault(match=_TOKEN, when="mid", times=2, replace=('"token_type"', extra)))
    assert stage.run("-v", "plan", clock=quick()).code == 0
    renamed = Fault(match=_TOKEN, when="mid", times=None, replace=('"access_token"', '"accessToken"'))
    stage.emu.salesforce_faults.add(renamed)
    stopped(stage.run("-v", "run", clock=quick()), 69, "access_token", "/oauth2/token")


def test_words_about_rows_and_jobs_are_looked_through(stage: Stage) -> None:
    """A refusal of a row, of the run log or of a job that quotes a call, its token included, is told without it."""
    furnish(stage)
    quote = f"callout failed: Authorization: Bearer {canaries.MARK}-1, {stage.org.org_id}!{canaries.MARK}"
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
    hook = f"http://127.0.0.1:9/{canaries.MARK}/T000/B000"
    stage.configure(notify={"ping_url": f"{hook}?key={canaries.MARK}", "slack_webhook": hook})
    result = stage.run("-v", "run", clock=quick(), environ=environ)
    assert result.code == 0, result.err
    assert "notify.ping_url could not be told" in result.err
    assert "notify.slack_webhook could not be told" in result.err
    environ["USERNAME_1"] = f"{canaries.MARK}\nof two lines"
    assert stage.run("-v", "run", clock=quick(), environ=environ).code == 78


def test_a_private_key_and_what_it_signs_are_not_told(stage: Stage) -> None:
    """Neither the private key's text nor an assertion made with it shows, whether Salesforce takes it or repeats it."""
    furnish(stage)
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
    path = stage.folder / canaries.SECRETS / "sf.key"
    path.parent.mkdir()
    path.touch(mode=0o600)
    path.write_text(f"{canaries.MARK}\n{pem}", encoding="utf-8")
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    stage.org.sessions.register_jwt(public.decode(), stage.settings["salesforce"]["client_id"])
    stage.configure(salesforce={"auth": "jwt", "username": "sync@example.com", "private_key_file": str(path)})
    assert stage.run("-v", "plan", clock=quick()).code == 0
    stage.emu.salesforce_faults.add(_echo(_TOKEN, 400, _as_error, "", {}))
    stopped(stage.run("-v", "run", clock=quick()), 77, "sign-in refused")
    path.write_text(f"{canaries.MARK}\n{pem[:400]}", encoding="utf-8")
    broken = stage.run("-v", "run", clock=quick())
    assert (broken.code, pem[60:100] in broken.err) == (78, False)


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


def test_no_argument_and_no_option_holds_a_secret(stage: Stage) -> None:
    """What the process list shows of a running program holds no secret, and no option takes one."""
    furnish(stage)
    held, go = threading.Event(), threading.Event()

    def hold(_: Request) -> None:
        held.set()
        go.wait(20)

    stage.emu.salesforce_faults.add(Fault(match="/describe", hook=hold))
    command = [sys.executable, "-m", "etl", "-v", "--config", str(stage.config()), "plan"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
        assert held.wait(20)
        listed = Path(f"/proc/{process.pid}/cmdline").read_bytes()
        go.set()
        told, _ = process.communicate(timeout=60)
    assert (process.returncode, b"etl" in listed) == (0, True), told
    assert not canaries.found(listed + told)
    pages = [stage.run(*words).out for words in (("--help",), ("run", "--help"), ("check", "--help"))]
    assert not re.findall(r"--\S*(?:password|token|secret|key)", " ".join(pages))


def test_the_canaries_would_be_seen(stage: Stage, tmp_path: Path) -> None:
    """Each form of a canary in each place is found: in what is told, and in a file of any folder below the stage."""
    portal = stage.settings["portals"][0]
    pair = f"{portal['username']}:{portal['password']}".encode()
    for leak in (portal["password"], quote(portal["password"]), pair.hex(), base64.b64encode(b"x" + pair).decode()):
        with pytest.raises(AssertionError, match="word"):
            canaries.Scan(tmp_path).check(f"word {leak}")
        (tmp_path / "var").mkdir(exist_ok=True)
        (tmp_path / "var" / "report.json").write_text(leak)
        with pytest.raises(AssertionError, match=r"report\.json"):
            canaries.Scan(tmp_path).check("")
