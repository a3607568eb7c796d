"""The search for secrets finds what it should: either end of each, in each form, in each place a run could leave it."""

from __future__ import annotations

import base64
import re
from pathlib import Path
from urllib.parse import quote

import pytest
from runs import canaries
from runs.kept_secrets import signing
from runs.programs import Program
from runs.small_world import furnish
from runs.stage import Stage

from etl.emulator.faults import Fault


def _leaks(secret: str) -> tuple[str, ...]:
    """Return the forms in which a secret could leak: whole, cut at either end, coded."""
    raw = secret.encode()
    cut = len(canaries.mark(canaries.COOKIE))
    coded = (raw.hex(), base64.b64encode(b"x" + raw).decode(), quote(secret))
    return (secret, secret[:cut], secret[-cut:], raw[-cut:].hex(), *coded)


@pytest.mark.parametrize("place", canaries.PLACES)
def test_the_canaries_would_be_seen(place: str, tmp_path: Path) -> None:
    """Either end of a secret, in each form, is found in what is told and in any file, and its place is named."""
    for leak in _leaks(canaries.secret(place, "+%s/of=é&")):
        with pytest.raises(AssertionError, match=f"what was told holds {re.escape(place)}, first after b'word "):
            canaries.Canaries(tmp_path).check(f"word {leak}")
        (tmp_path / "var").mkdir(exist_ok=True)
        (tmp_path / "var" / "report.json").write_text(leak)
        with pytest.raises(AssertionError, match=rf"report\.json holds {re.escape(place)}"):
            canaries.Canaries(tmp_path).check()


def test_what_the_servers_made_would_be_seen(stage: Stage) -> None:
    """A session and an assertion, which end as chance has it, are known by their ends too, and found."""
    furnish(stage)
    signing(stage)
    sent: list[bytes] = []
    faults = stage.emu.salesforce_faults
    faults.add(Fault(match="/oauth2/token", hook=lambda request: sent.append(request.body)))
    faults.add(Fault(match="/describe", hook=lambda request: sent.append(request.headers["authorization"].encode())))
    assert stage.run("plan").code == 0
    assertion, header = sent
    for place, tail in ((canaries.ASSERTION, assertion[-12:]), (canaries.SESSION, header[-12:])):
        with pytest.raises(AssertionError, match=f"a log holds {place}"):
            stage.canaries.look("a log", b"word " + tail)


def test_what_is_left_is_looked_through_in_the_end(tmp_path: Path) -> None:
    """A secret in a file that no run followed is found when the stage ends."""
    made = Stage(tmp_path).__enter__()
    (tmp_path / "saved.csv").write_text(canaries.secret(canaries.PASSWORD))
    with pytest.raises(AssertionError, match=r"saved\.csv holds the password of a portal"):
        made.__exit__()


def test_no_program_is_started_with_a_secret(stage: Stage) -> None:
    """A secret among the arguments of a program is found before it is started."""
    with pytest.raises(AssertionError, match="the command line holds the consumer secret"):
        Program(stage, ("true", canaries.secret(canaries.CONSUMER_SECRET)))
    assert not (stage.folder / "told").exists()
