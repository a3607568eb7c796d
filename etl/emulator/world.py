"""The door: both emulators on loopback, wired to one seeded world. What they answer is decided in their packages."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Self

from etl.emulator.faults import Fault, FaultScript
from etl.emulator.learnupon import LearnUponApp, LearnUponStore
from etl.emulator.ledger import Ledger
from etl.emulator.salesforce.app import SalesforceApp
from etl.emulator.salesforce.org import SalesforceOrg
from etl.emulator.seed import Shape, generate, load, night
from etl.emulator.server import Server

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from etl.emulator.seed import World


class Emulators:
    """Both vendors with invented learners; a context manager, or `start` and `stop`.

    `learners` and `enrollments_per_learner` give the totals over all portals; with 0 learners the portals are there
    but empty, and the org has its schema and no records. Ports are 0 for any free one. `latency_ms` delays every
    answer of both servers; `requests_per_minute` is LearnUpon's limit a portal. `namespace="LearnUponP"` gives the
    org the objects of LearnUpon's package. `world` says what was invented and `people` which record a person became;
    the enrollments are in `store` only. `now` is the moment of LearnUpon's rows, which stands still; `clock` (seconds
    since 1970) is the time of Salesforce, of the limits and of the answers.
    """

    def __init__(  # noqa: PLR0913 - one keyword a property of the world
        self,
        *,
        learners: int = 200,
        seed: int = 1,
        port_learnupon: int = 0,
        port_salesforce: int = 0,
        enrollments_per_learner: int = 10,
        portals: int = 2,
        paths: int | None = None,
        courses: int | None = None,
        namespace: str = "",
        latency_ms: float = 0.0,
        requests_per_minute: int = 6000,
        now: datetime | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Make the world and bind both ports; nothing is served before `start`."""
        self.seed = seed
        self.ledger = Ledger(clock)
        self.store = LearnUponStore() if now is None else LearnUponStore(now=now)
        self.store.knobs.requests_per_minute = requests_per_minute
        self.org = SalesforceOrg(ledger=self.ledger, namespace=namespace, clock=clock)
        self.learnupon_faults, self.salesforce_faults = FaultScript(seed), FaultScript(seed)
        shape = Shape(learners, seed, portals, enrollments_per_learner, paths, courses, self.store.now)
        self.world: World = generate(shape)
        self.people = load(self.world, self.store, self.org)
        for portal in self.world.portals:  # a second copy of a million rows would cost a third of the memory
            portal.enrollments.clear()
            portal.path_enrollments.clear()
        app = LearnUponApp(self.store, clock)
        self.learnupon = Server(app, self.learnupon_faults, self.ledger, port_learnupon, clock=clock)
        try:
            other = SalesforceApp(self.org)
            self.salesforce = Server(other, self.salesforce_faults, self.ledger, port_salesforce, clock=clock)
        except OSError:
            self.learnupon.stop()
            raise
        self._wire(latency_ms)

    def _wire(self, latency_ms: float) -> None:
        for server, faults in ((self.learnupon, self.learnupon_faults), (self.salesforce, self.salesforce_faults)):
            server.ticks["night"] = self.night
            if latency_ms:
                faults.add(Fault(match="", times=None, delay_s=latency_ms / 1000))

    def start(self) -> Self:
        """Serve both; returns at once, ready."""
        self.learnupon.start()
        self.salesforce.start()
        return self

    def stop(self) -> None:
        """Stop both and free the ports."""
        self.learnupon.stop()
        self.salesforce.stop()

    def __enter__(self) -> Self:
        """Start."""
        return self.start()

    def __exit__(self, *_: object) -> None:
        """Stop."""
        self.stop()

    def night(self, seed: int = 1) -> dict[str, int]:
        """Let a night of changes happen in LearnUpon and a person edit Salesforce; returns counts by kind."""
        return night(self.store, self.org, seed)

    def portal_url(self, name: str) -> str:
        """Base URL of a portal; its API is at ``/api/v1`` below."""
        return f"{self.learnupon.url}/{name}"

    def describe(self) -> dict[str, Any]:
        """Everything a client needs: portals and Salesforce, with addresses and invented credentials."""
        portals = [
            {
                "name": one.name,
                "portal_id": one.portal_id,
                "title": one.title,
                "url": self.portal_url(one.name),
                "username": one.username,
                "password": one.password,
            }
            for one in self.store.portals.values()
        ]
        sessions = self.org.sessions
        salesforce = {
            "login_url": self.salesforce.url,
            "org_id": self.org.org_id,
            "client_id": sessions.client_id,
            "client_secret": sessions.client_secret,
            "access_token": self.org.access_token,
        }
        return {"portals": portals, "salesforce": salesforce}
