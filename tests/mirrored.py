"""An emulated org without sockets, read by a mirror and in full, in simulated time, and what people do in it."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Any, Self

import pyarrow as pa
from simulation.carrier import Wire
from simulation.clockwork import Clockwork

from etl.config import Settings
from etl.emulator.salesforce.errors import RowError
from etl.emulator.world import Emulators
from etl.frames import entity_schema
from etl.park import Park
from etl.progress import Progress
from etl.salesforce.org import Org
from etl.salesforce.snapshot import read_existing
from etl.schema import CONTACT, CUSTOM, ENTITIES, USER
from etl.stages.held import Held, count_held, read_held
from etl.stages.job import Job
from etl.stages.target import shapes_of

PORTAL, MEMBERSHIP, ROWS = "LearnUpon_Portal__c", "LearnUpon_Portal_Membership__c", "LearnUponContactEnrollment__c"
USER_ROWS, USER_PATHS, CONTACT_PATHS = (entity.name for entity in (CUSTOM[2], CUSTOM[4], CUSTOM[5]))
OURS = 12345
Rows = dict[str, list[dict[str, Any]]]


class Observatory:
    """One org and one state folder; `read` reads as a writing run does, `whole` reads everything and keeps nothing."""

    def __init__(self, folder: Path, **salesforce: Any) -> None:
        """Make an org without rows; keywords go to the section `salesforce` of the configuration."""
        self.folder = folder
        self.time = Clockwork()
        self.emu = Emulators(learners=0, clock=self.time.wall)
        self.org = self.emu.org
        self.org.job_seconds = 0.0
        self.wire = Wire(self.emu, self.time)
        self.user_ids: list[str] = []
        self.admin = self.insert("User", LastName="Admin")
        self.state_dir = folder / "var"
        self.salesforce = {"full_read_days": 7, **salesforce}
        self._reads = 0
        self.client = self.connect()
        self.shapes = shapes_of(self.client, threading.Event())

    def __enter__(self) -> Self:
        """Return the observatory itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Free the ports, and see that the emulator never stumbled."""
        self.emu.stop()
        if self.emu.salesforce.errors:
            raise AssertionError(self.emu.salesforce.errors)

    def connect(self, **changed: Any) -> Org:
        """Sign in."""
        settings = self.settings(**changed).salesforce
        return Org.connect(settings, clock=self.time.clock, random=Random(1), transport=self.wire.transport)  # noqa: S311

    def settings(self, **changed: Any) -> Settings:
        """Return the configuration with keys of its section `salesforce` changed."""
        facts = self.emu.describe()
        keys = ("login_url", "org_id", "client_id", "client_secret")
        org = {key: facts["salesforce"][key] for key in keys} | {"poll_seconds": 0.05, **self.salesforce, **changed}
        return Settings.model_validate({"portals": facts["portals"], "salesforce": org, "state_dir": self.state_dir})

    def job(self, *, command: str = "run", portals: int = 1, **changed: Any) -> Job:
        """Return a job over the first so many portals."""
        settings = self.settings(**changed)
        self._reads += 1
        return Job(
            settings, command, f"run-{self._reads}", self.time.clock, Random(1),  # noqa: S311 - jitter
            Progress(clock=self.time.clock, quiet=True), settings.portals[:portals],
        )  # fmt: skip

    def read(self, client: Org | None = None, **job: Any) -> Held:
        """Read what Salesforce holds, with the mirror where there is one, and leave one behind."""
        made = self.job(**job)
        self.wire.begin()
        client = client or self.client
        client.settings = made.settings.salesforce
        counted = count_held(client, made)
        return read_held(client, made, self.folder / made.run_id, self.shapes, counted)

    def whole(self, portals: Sequence[int] = (OURS,)) -> Rows:
        """Return all rows as a full read finds them."""
        self._reads += 1
        found = {}
        for entity in ENTITIES:
            park = Park(self.folder / f"whole-{self._reads}" / entity.name, entity_schema(entity))
            read_existing(self.client, entity, portals, park)
            found[entity.name] = plain(park.read())
        return found

    def requests(self) -> list[str]:
        """Return what Salesforce was asked since the last look: `METHOD target`."""
        seen = [f"{one.method} {one.target}" for one in self.emu.salesforce.calls]
        self.emu.salesforce.reset_calls()
        return seen

    def pass_hours(self, hours: float) -> None:
        """Let time pass."""
        self.time.sleep(hours * 3600)

    def manifest(self) -> dict[str, Any]:
        """Return the mirror's manifest."""
        (path,) = self.state_dir.glob("mirror/*/mirror.json")
        return dict(json.loads(path.read_bytes()))

    def files(self) -> list[Path]:
        """Return the mirror's files of rows."""
        return sorted(self.state_dir.glob("mirror/*/*/*/*.arrow"))

    def fill(self, learners: int = 3, rows: int = 2) -> None:
        """Put in a portal, Contacts with memberships, a User with one, and enrollments of each."""
        self.insert(PORTAL, LU_Key__c=str(OURS), Name="Academy", Portal_Id__c=OURS)
        for _ in range(learners):
            self.member()
        person = self.insert("User", LU_User_ID__c=900, LU_Number_Enrolled__c=1)
        self._member(900, User__c=person)
        self.insert(USER_ROWS, SFUser__c=person, **self._row(7000, 900, "enrollment"))
        self.insert(USER_PATHS, SFUser__c=person, **self._row(7001, 900, "path"))
        for number in range(learners * rows):
            self.row(number)

    def insert(self, name: str, **fields: Any) -> str:
        """Make a record."""
        return self.org.insert(name, fields, record=False)

    def member(self, **contact: Any) -> str:
        """Make a Contact with a membership, and return the Contact's id."""
        user = len(self.user_ids) + 1
        self.user_ids.append(str(user))
        person = self.insert("Contact", **{"LU_User_ID__c": user, "LU_Number_Enrolled__c": user, **contact})
        self._member(user, Contact__c=person)
        return person

    def _member(self, user: int, **person: str) -> str:
        (portal,) = self.org.find(PORTAL, LU_Key__c=str(OURS))
        key = f"{OURS}:member:{user}"
        fields = {"LU_Key__c": key, "LU_Portal_Membership_ID__c": user, "Portal_Id__c": OURS}
        return self.insert(MEMBERSHIP, LearnUpon_Portal__c=portal["Id"], **fields, **person)

    def row(self, number: int) -> str:
        """Make a Contact's course enrollment, of one membership after another, and a path enrollment now and then."""
        members = [one for one in self.org.rows(MEMBERSHIP) if one["Contact__c"]]
        member = Random(number).choice(members)  # noqa: S311 - any will do
        fields = {"SFContact__c": member["Contact__c"], "LearnUpon_Portal_Membership__c": member["Id"]}
        if number % 4 == 0:
            path = self._row(number, member["LU_Portal_Membership_ID__c"], "path")
            self.insert(CONTACT_PATHS, **{**path, **fields})
        made = self._row(number, member["LU_Portal_Membership_ID__c"], "enrollment")
        return self.insert(ROWS, **{**made, **fields, "Course_Name__c": "First aid"})

    def _row(self, number: int, user: int, kind: str) -> dict[str, Any]:
        (member,) = self.org.find(MEMBERSHIP, LU_Key__c=f"{OURS}:member:{user}") or [{"Id": None}]
        return {
            "LU_Key__c": f"{OURS}:{kind}:{number}", "LearnUpon_Portal_Membership__c": member["Id"], "LUUser__c": user,
            "LUEnrollment__c": number, "Status__c": "In Progress", "Score__c": number / 4,
            "Date_Enrolled__c": "2026-01-02T03:04:05Z",
        }  # fmt: skip

    def slip(self, name: str, record_id: str, **fields: Any) -> None:
        """Change a record past all rules and stamps."""
        table = self.org.tables[name]
        with self.org.lock:
            table.change(table.rows[record_id], fields)


def plain(table: pa.Table) -> list[dict[str, Any]]:
    """Return rows in the order of their ids."""
    return sorted(table.to_pylist(), key=lambda row: str(row["Id"]))


def rows_of(held: Held) -> Rows:
    """Return the rows of a read."""
    found = {name: plain(park.read()) for name, park in held.rows.items()}
    for entity in (CONTACT, USER):
        found[entity.name] = plain(pa.Table.from_pandas(held.profiles[entity.name], entity_schema(entity)))
    return found


Deed = Callable[[Observatory, Random], object]


def _pick(lab: Observatory, dice: Random, *names: str, gone: bool = False) -> tuple[str, str]:
    """Return object and id of a record, or of one in the recycle bin; LookupError without one."""
    tables = [lab.org.tables[name] for name in names]
    found = [(one.kind.name, row) for one in tables for row in (one.bin if gone else one.rows)]
    found = [one for one in found if one[1] != lab.org.user_id]
    return dice.choice(sorted(found))


_OWN = (PORTAL, MEMBERSHIP, ROWS, CONTACT_PATHS, USER_ROWS)
_LEAVES = (ROWS, CONTACT_PATHS, USER_ROWS)


def _edit(lab: Observatory, dice: Random) -> None:
    what = {"Score__c": dice.randrange(400) / 4, "Status__c": dice.choice(["Passed", "Failed", None])}
    lab.org.update(*_pick(lab, dice, *_LEAVES), what, by=dice.choice([lab.org.user_id, ""]))


def _late(lab: Observatory, dice: Random) -> None:
    """A transaction ends that saved its record ten minutes ago."""
    name, record_id = _pick(lab, dice, *_LEAVES)
    stamp = f"{lab.time.now() - timedelta(minutes=10):%Y-%m-%dT%H:%M:%S.000Z}"
    lab.slip(name, record_id, Status__c=f"Late {dice.randrange(9)}", SystemModstamp=stamp)


def _rekey(lab: Observatory, dice: Random) -> None:
    """A person edits a key: to one of ours, to one of another portal, or away."""
    name, record_id = _pick(lab, dice, MEMBERSHIP, ROWS)
    key = dice.choice([f"{OURS}:member:{dice.randrange(50, 60)}", f"99:member:{dice.randrange(9)}", None])
    lab.org.update(name, record_id, {"LU_Key__c": key})


def _number(lab: Observatory, dice: Random) -> None:
    """A person, or a run of ours, gives a profile another number, or none."""
    by = dice.choice([lab.org.user_id, lab.admin])
    number = dice.choice([None, dice.randrange(70, 80)])
    lab.org.update(*_pick(lab, dice, "Contact", "User"), {"LU_User_ID__c": number}, by=by)


def _undelete(lab: Observatory, dice: Random) -> None:
    """A person brings something back (no run ever does)."""
    lab.org.undelete(*_pick(lab, dice, *_OWN, "Contact", gone=True), by=lab.admin)


def _purge(lab: Observatory, dice: Random) -> None:
    """A record leaves the recycle bin for good; of Contacts one that was known (see `etl.mirroring`, 4)."""
    name, record_id = _pick(lab, dice, *_OWN, "Contact", gone=True)
    if name != "Contact" or "LU_User_ID__c" in lab.org.tables[name].bin[record_id]:
        lab.org.purge(name, record_id)


def _repoint(lab: Observatory, dice: Random) -> None:
    _, record_id = _pick(lab, dice, ROWS)
    _, member = _pick(lab, dice, MEMBERSHIP)
    lab.org.update(ROWS, record_id, {"LearnUpon_Portal_Membership__c": member})


DEEDS: dict[str, Deed] = {
    "create": lambda lab, dice: lab.row(dice.randrange(100, 999)),
    "join": lambda lab, _: lab.member(),
    "stranger": lambda lab, _: lab.insert("Contact"),
    "edit": _edit,
    "late": _late,
    "rekey": _rekey,
    "number": _number,
    "repoint": _repoint,
    "delete": lambda lab, dice: lab.org.delete(*_pick(lab, dice, *_LEAVES)),
    "delete parent": lambda lab, dice: lab.org.delete(*_pick(lab, dice, PORTAL, MEMBERSHIP, MEMBERSHIP)),
    "delete Contact": lambda lab, dice: lab.org.delete(*_pick(lab, dice, "Contact")),
    "merge": lambda lab, dice: lab.org.merge_contacts(*dice.sample(sorted(lab.org.tables["Contact"].rows), 2)),
    "undelete": _undelete,
    "purge": _purge,
}
"""What happens in an org, by name; RowError, LookupError or ValueError when there is nothing it could happen to."""


def happen(lab: Observatory, deed: str, number: int) -> None:
    """Let something happen, where it can."""
    with suppress(RowError, LookupError, ValueError):
        DEEDS[deed](lab, Random(f"{deed} {number}"))  # noqa: S311 - a number names a deed
