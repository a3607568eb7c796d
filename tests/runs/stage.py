"""The stage for whole runs: both emulators, a configuration, and the real program called as people call it.

Everything goes over HTTP and the disk; nothing of the product is replaced. Every report is audited against the ledger.
"""

from __future__ import annotations

import csv
import io
import json
import time
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any, ClassVar, Self

import yaml
from runs import canaries
from runs.audit import audit
from runs.listener import Listener
from runs.result import Result

from etl.__main__ import main
from etl.clock import Clock
from etl.emulator.faults import Fault
from etl.emulator.learnupon.portal import Portal
from etl.emulator.messages import Request
from etl.emulator.world import Emulators

Row = dict[str, Any]
MEMBERSHIP = "LearnUpon_Portal_Membership__c"
USER_ROWS = "LearnUponEnrollment__c"
CONTACT_ROWS = "LearnUponContactEnrollment__c"
USER_PATHS = "LearnUponLearningPathEnrollment__c"
CONTACT_PATHS = "LearnUponLearningPathContactEnrollment__c"
_BY_ID = ("Contact", "User")
_GONE = ("ENTITY_IS_DELETED", "INVALID_CROSS_REFERENCE_KEY")
_BRISK = Clock(monotonic=lambda: time.monotonic() * 5, sleep=lambda seconds: time.sleep(seconds / 5))
"""A clock five times as quick: the org of a stage has ended a job at once, and waiting for it is for nothing."""


class Stage:
    """Two empty portals (`academy` 12345, `partners` 67890), an org without people, and a folder; a context manager.

    `settings` is the configuration as a tree; change it freely between runs (see `configure`).
    Every run, and all that is in the folder in the end, is looked through for the canary secrets that are planted here.
    """

    loud: ClassVar[bool] = False
    """Whether runs log as much as they can and tell listeners, as they do in tests of faults (conftest)."""

    def __init__(self, folder: Path, **world: Any) -> None:
        """Make the world; keywords go to `Emulators`. Nothing is served before the stage is entered."""
        self.folder = folder
        options: dict[str, Any] = {"learners": 0, "requests_per_minute": 60_000}
        self.emu = Emulators(**{**options, **world})
        self.canaries = canaries.Canaries(folder)
        self.canaries.plant(self.emu)
        self.listener: Listener | None = None
        self.store, self.org, self.ledger = self.emu.store, self.emu.org, self.emu.ledger
        self.org.job_seconds = 0.0
        self.state_dir = folder / "var"
        self.settings = self._settings()

    def __enter__(self) -> Self:
        """Serve, and listen where it is loud."""
        self.emu.start()
        if self.loud:
            self.listener = Listener().__enter__()
            hooks = (("ping_url", canaries.SWITCH), ("slack_webhook", canaries.CHANNEL))
            self.configure(notify={key: f"{self.listener.url}/{canaries.secret(place)}" for key, place in hooks})
        return self

    def __exit__(self, *_: object) -> None:
        """Stop, and see that neither emulator stumbled and no secret is in what was left."""
        self.emu.stop()
        if self.listener is not None:
            self.listener.__exit__()
            self.canaries.saw("\n".join(path for path, *_body in self.listener.told).encode())
        self.canaries.check()
        assert self.emu.learnupon.errors == []
        assert self.emu.salesforce.errors == []

    def _settings(self) -> dict[str, Any]:
        described = self.emu.describe()
        org = described["salesforce"]
        portals = [{**portal, "requests_per_minute": 50_000} for portal in described["portals"]]
        keys = ("login_url", "org_id", "client_id", "client_secret")
        salesforce = {"auth": "client_credentials", "poll_seconds": 0.05, **{key: org[key] for key in keys}}
        if self.org.namespace:
            salesforce["namespace"] = self.org.namespace
        return {"portals": portals, "salesforce": salesforce, "state_dir": str(self.state_dir)}

    def configure(self, **sections: Any) -> None:
        """Merge into the configuration: `configure(matching={"email": "unique"})`; what is no mapping is replaced."""
        for name, value in sections.items():
            if isinstance(value, Mapping):
                self.settings[name] = {**self.settings.get(name, {}), **value}
            else:
                self.settings[name] = value

    @property
    def academy(self) -> Portal:
        """The first portal of the configuration."""
        return self.store.portals["academy"]

    @property
    def partners(self) -> Portal:
        """The second portal of the configuration."""
        return self.store.portals["partners"]

    @property
    def verbosity(self) -> str:
        """The option for a program whose log only tests of faults look at."""
        return "-v" if self.loud else "-q"

    def contact(self, **fields: Any) -> str:
        """Add a Contact to the org and return its id (18 characters)."""
        return self.org.insert("Contact", fields, record=False)

    def user(self, **fields: Any) -> str:
        """Add a User to the org and return its id (18 characters)."""
        return self.org.insert("User", fields, record=False)

    def learner(self, portal: Portal | None = None, **fields: Any) -> int:
        """Add a learner to LearnUpon and return the user id; without Salesforce ids it is a new Contact."""
        if not {"sf_contact_id", "sf_user_id"} & set(fields):
            fields["sf_contact_id"] = self.contact()
        return int((portal or self.academy).add_user(**fields)["id"])

    def course(self, portal: Portal | None = None, **fields: Any) -> int:
        """Add a course and return its id."""
        return int((portal or self.academy).add_course(**fields)["id"])

    def enroll(self, user_id: int, course_id: int | None = None, portal: Portal | None = None, **fields: Any) -> int:
        """Enroll a learner (in a new course unless one is named) and return the enrollment id."""
        place = portal or self.academy
        course = self.course(place) if course_id is None else course_id
        return int(place.add_enrollment(user_id=user_id, course_id=course, **fields)["id"])

    def path(self, *courses: int, portal: Portal | None = None, **fields: Any) -> int:
        """Add a learning path over these courses and return its id."""
        return int((portal or self.academy).add_path(courses=courses, **fields)["id"])

    def enroll_path(self, user_id: int, path_id: int, portal: Portal | None = None, **fields: Any) -> int:
        """Enroll a learner in a path and return the path enrollment id."""
        row = (portal or self.academy).add_path_enrollment(user_id=user_id, path_id=path_id, **fields)
        return int(row["id"])

    def rows(self, name: str) -> dict[str, Row]:
        """Return an object's live records: by `LU_Key__c`, people by Id."""
        key = "Id" if name in _BY_ID else "LU_Key__c"
        return {str(row[key]): row for row in self.org.rows(name)}

    def row(self, name: str, key: str) -> Row:
        """Return one live record by its key (people by Id); KeyError without it."""
        return self.rows(name)[key]

    def person(self, record_id: str) -> Row:
        """Return the Contact or User of this id; KeyError without it."""
        return self.row("Contact" if record_id.startswith("003") else "User", record_id)

    def before(self, request: str, happens: Callable[[], object]) -> None:
        """Let something happen in the org just before the next request to Salesforce that matches (`METHOD path`)."""
        self.emu.salesforce_faults.add(Fault(match=request, hook=lambda _: happens()))

    def uploads(self) -> list[tuple[str, list[dict[str, str]]]]:
        """Return a list that grows with each file uploaded from now on: object, and its lines by header."""
        seen: list[tuple[str, list[dict[str, str]]]] = []
        jobs = self.emu.salesforce.app.bulk.jobs  # type: ignore[attr-defined]

        def note(request: Request) -> None:
            job = jobs.by_id[request.path.split("/")[-2]]
            text = io.StringIO(request.body.decode("utf-8"), newline="")
            seen.append((job.spec["object"], list(csv.DictReader(text))))

        self.emu.salesforce_faults.add(Fault(match=r"^PUT .*/batches", times=None, hook=note))
        return seen

    def config(self) -> Path:
        """Write the configuration, readable by its owner only, and return its path."""
        path = self.folder / "learnupon-sync.yaml"
        path.touch(mode=0o600)
        path.write_text(yaml.safe_dump(self.settings, allow_unicode=True), encoding="utf-8")
        return path

    def run(self, *arguments: str, **surroundings: Any) -> Result:
        """Call the program (`run` without arguments), audit its report, look for canaries, and return what it did.

        `surroundings` go to `etl.__main__.main` (environ, clock, ...).
        """
        loud = [self.verbosity] if self.loud and not {"-v", "-q"} & set(arguments) else []
        args = ["--config", str(self.config()), *loud, *(arguments or ("run",))]
        seq = self._seq()
        known = {job.id for job in self.emu.salesforce.app.bulk.jobs.by_id.values()}  # type: ignore[attr-defined]
        folders = self._folders()
        for server in (self.emu.learnupon, self.emu.salesforce):
            server.reset_calls()
        out, err = io.StringIO(), io.StringIO()
        with redirect_stdout(out), redirect_stderr(err):
            code = main(args, **{"environ": {}, "clock": _BRISK, **surroundings})
        new = sorted(self._folders() - folders)
        entries = tuple(entry for entry in self.ledger.since(seq) if entry.job_id not in known)
        result = Result(
            code=code,
            out=out.getvalue(),
            err=err.getvalue(),
            folder=new[-1] if new else None,
            ledger=entries,
            learnupon_calls=tuple(self.emu.learnupon.calls),
            salesforce_calls=tuple(self.emu.salesforce.calls),
            found_gone=self._found_gone(known),
        )
        self.canaries.check(result.out + result.err)
        if result.reported:
            audit(result)
        return result

    def synced(self, *arguments: str) -> Result:
        """Run, and see that it ended well."""
        result = self.run(*arguments)
        assert result.code == 0, result.err + json.dumps(result.report, indent=1)
        return result

    def settled(self) -> None:
        """See that another run finds nothing to do: no effect in the ledger and no job."""
        again = self.synced("run")
        assert (again.effects, again.ingest_jobs) == ([], [])

    def _found_gone(self, known: set[str]) -> Counter[str]:
        """Count, by object, the rows that new jobs were to delete and found deleted."""
        gone = Counter[str]()
        for job in self.emu.salesforce.app.bulk.jobs.by_id.values():  # type: ignore[attr-defined]
            if job.id not in known and job.spec["operation"] == "delete":
                gone[job.spec["object"]] += sum(error.startswith(_GONE) for _, error, _ in job.failed)
        return gone

    def _seq(self) -> int:
        entries = self.ledger.entries
        return entries[-1].seq if entries else 0

    def _folders(self) -> set[Path]:
        try:
            return {path for path in (self.state_dir / "runs").iterdir() if path.is_dir()}
        except OSError:  # not there, no folder, or of somebody else
            return set()
