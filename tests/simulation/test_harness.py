"""The harness itself: its time, its wire, the death of a process in it, and how it shortens a story."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path

import pytest
from simulation.carrier import Kill
from simulation.clockwork import Clockwork, Endless
from simulation.judge import Before
from simulation.mishaps import Mishap
from simulation.night import Night
from simulation.shrink import shrunk
from simulation.story import Story, Try, drawn, play
from simulation.world import World, build

from etl.emulator.faults import Fault


def test_time_passes_only_by_waiting() -> None:
    """Sleep moves the time on at once, and a longer wait than a run may need is called endless."""
    clockwork = Clockwork()
    clockwork.sleep(3600)
    assert (clockwork.monotonic(), clockwork.now().hour) == (3600.0, 3)
    clockwork.limit_s = 4000
    with pytest.raises(Endless):
        clockwork.sleep(500)


def test_who_waits_gets_a_turn_when_the_time_has_come() -> None:
    """A thread that waits for two minutes goes on, and does its work, before the sleeper's hour is over."""
    clockwork, done = Clockwork(), list[float]()
    never = threading.Event()

    def beat() -> None:
        while not clockwork.wait(never, 120) and len(done) < 3:
            done.append(clockwork.monotonic())

    thread = threading.Thread(target=beat)
    thread.start()
    while not clockwork._waiters:
        threading.Event().wait(0.001)
    clockwork.sleep(3600)
    never.set()
    thread.join(5)
    assert done == [120.0, 240.0, 360.0]


def test_nothing_of_a_dead_process_reaches_the_vendors(tmp_path: Path) -> None:
    """A killed run sends not one request after its death, and leaves its files as they were at that moment."""
    with Night(tmp_path, 1) as stage:
        build(stage, World(number=1, portals=1))
        assert stage.go("run", kill=Kill(30)) is None
        calls = len(stage.emu.learnupon.calls) + len(stage.emu.salesforce.calls)
        assert calls < 30
        (folder,) = (stage.state_dir / "runs").iterdir()
        assert not (folder / "report.json").exists()


def test_a_request_whose_client_gave_up_still_arrives(tmp_path: Path) -> None:
    """A job whose creation was answered too late is made all the same, and no run leaves it open."""
    with Night(tmp_path, 1) as stage:
        build(stage, World(number=1, start="empty", portals=1))
        server = stage.emu.salesforce
        late = Fault(r"^POST .*/jobs/ingest$", hook=lambda _: server.sleep(200.0))
        stage.emu.salesforce_faults.add(late)
        assert stage.go("run") is not None
        stage.wire.settle()
        result = stage.go("run")
        assert result is not None
        assert result.code == 0
        assert not [job for job in stage.emu.salesforce.app.bulk.jobs.by_id.values() if job.state == "Open"]  # type: ignore[attr-defined]


def test_the_judge_knows_the_end_before_it_comes(tmp_path: Path) -> None:
    """What the model expects of an empty org is, row by row, what an undisturbed run makes of it."""
    with Night(tmp_path, 1) as stage:
        build(stage, World(number=5, start="empty", learners=4, enrollments=9))
        before = Before(stage)
        assert before.target["LearnUpon_Portal_Membership__c"]
        result = stage.go("run")
        assert result is not None
        assert result.code == 0
        assert Before(stage).target == before.target


def test_a_story_is_drawn_the_same_each_time() -> None:
    """A seed is one story, in full."""
    assert drawn(17) == drawn(17)
    assert drawn(17) != drawn(18)


def test_a_failing_story_is_shortened_to_what_matters() -> None:
    """Of two runs, seven mishaps and a large world only the one mishap that makes it fail is left."""
    guilty = Mishap("create", "answer lost")
    noise = tuple(Mishap("users", "html", nth) for nth in range(1, 4))
    long = Try((*noise, guilty, *noise), Kill(40), loses_state=True)
    story = replace(drawn(3), tries=(Try(noise), long), world=World(number=3, learners=4, start="half"))

    def fails(one: Story) -> bool:
        return any(guilty in attempt.mishaps for attempt in one.tries)

    short = shrunk(story, fails)
    assert [attempt.mishaps for attempt in short.tries] == [(guilty,)]
    assert (short.changes, short.tries[0].kill, short.world.learners) == ((), None, 1)


def test_stories_go_over_sockets_too(tmp_path: Path) -> None:
    """The same story, its requests over real sockets, ends as well."""
    played = play(drawn(4), tmp_path / "stage", sockets=True)
    assert played.violations == []
    assert played.runs
