"""What starts the sync at night: valid for Kubernetes and cron, in step with the program's exit codes and settings."""

from __future__ import annotations

import copy
import io
import os
import re
import shlex
import subprocess
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from etl import errors, space
from etl.__main__ import main
from etl.budget import Sent
from etl.config import load
from etl.salesforce.lease import MARGIN

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "cron" / "kubernetes"
AGAIN = {65, 69, 74, 75, 130, 143}
"""Exit codes after which the same run may succeed."""


def read(path: Path) -> list[dict[str, Any]]:
    """Return the documents of a manifest file."""
    return list(yaml.safe_load_all(path.read_text(encoding="utf-8")))


MANIFESTS = {
    (document["kind"], document["metadata"].get("name") or document["metadata"]["generateName"].rstrip("-")): document
    for path in sorted(FOLDER.glob("*.yaml"))
    if path.name != "kustomization.yaml"
    for document in read(path)
}
JOBS = {name: document["spec"] for (kind, name), document in MANIFESTS.items() if kind in ("CronJob", "Job")}
NIGHTLY = "learnupon-sync"


def manifest(kind: str) -> dict[str, Any]:
    """Return a copy of the document of that kind for the nightly run, to be read or broken."""
    return copy.deepcopy(MANIFESTS[kind, NIGHTLY])


def job_spec(name: str) -> dict[str, Any]:
    """Return the specification of a Job, or of the Jobs a CronJob makes."""
    spec: dict[str, Any] = JOBS[name]
    return spec["jobTemplate"]["spec"] if "jobTemplate" in spec else spec


def pod(name: str) -> dict[str, Any]:
    """Return the specification of a Job's pod."""
    spec: dict[str, Any] = job_spec(name)["template"]["spec"]
    return spec


def exit_codes() -> set[int]:
    """Return every exit code of the program, from the exceptions themselves and the results beside them."""

    def classes(parent: type[errors.SyncError]) -> Iterator[type[errors.SyncError]]:
        for child in parent.__subclasses__():
            yield child
            yield from classes(child)

    of_errors = {error.exit_code for error in classes(errors.SyncError)}
    return of_errors | {errors.ROWS_REFUSED, errors.CHANGES_PLANNED, errors.BUG, 130, 143}


def policy(name: str) -> dict[str, set[int]]:
    """Return the exit codes a Job's failure policy names, by action."""
    rules = job_spec(name)["podFailurePolicy"]["rules"]
    one = {"FailIndex": "FailJob"}  # the same for one pod of several
    return {
        one.get(rule["action"], rule["action"]): set(rule["onExitCodes"]["values"])
        for rule in rules
        if "onExitCodes" in rule
    }


@pytest.mark.parametrize("name", MANIFESTS, ids=" ".join)
def test_the_manifests_are_valid(name: tuple[str, str]) -> None:
    """Each manifest agrees with the schema that Kubernetes publishes, unknown keys refused."""
    kubernetes_validate.validate(MANIFESTS[name], kubernetes_validate.latest_version(), strict=True)


@pytest.mark.parametrize(
    ("key", "value"), [("timezone", "Etc/UTC"), ("startingDeadlineSeconds", "soon"), ("jobTemplate", {"spec": {}})]
)
def test_the_validation_sees_faults(key: str, value: object) -> None:
    """A misspelt key, a wrong type and a missing part are each refused, so the test above can fail."""
    broken = manifest("CronJob")
    broken["spec"][key] = value
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(broken, kubernetes_validate.latest_version(), strict=True)


def test_kustomize_names_files_that_exist() -> None:
    """The kustomization lists the manifests of the nightly run, and each exists."""
    resources = read(FOLDER / "kustomization.yaml")[0]["resources"]
    assert "cronjob.yaml" in resources
    assert [name for name in resources if not (FOLDER / name).is_file()] == []


@pytest.mark.parametrize("name", JOBS)
def test_every_exit_code_has_its_answer(name: str) -> None:
    """Each exit code of the program but 0 is named once: tried again where that may help, else failed at once."""
    found = policy(name)
    assert found["Count"] & found["FailJob"] == set()
    assert found["Count"] == AGAIN | {137}
    assert found["FailJob"] == exit_codes() - AGAIN
    first = job_spec(name)["podFailurePolicy"]["rules"][0]
    assert (first["action"], first["onPodConditions"][0]["type"]) == ("Ignore", "DisruptionTarget")
    named = {rule["onExitCodes"]["containerName"] for rule in job_spec(name)["podFailurePolicy"]["rules"][1:]}
    assert named == {pod(name)["containers"][0]["name"]}


@pytest.mark.parametrize("name", JOBS)
def test_the_pod_has_no_right_it_does_not_need(name: str) -> None:
    """No root, no token, no capability, no writing to its own files, and memory that is reserved in full."""
    spec, (container,) = pod(name), pod(name)["containers"]
    assert spec["restartPolicy"] == "Never"
    assert spec["automountServiceAccountToken"] is False
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["securityContext"]["runAsUser"] > 0
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert container["resources"]["requests"]["memory"] == container["resources"]["limits"]["memory"] == "2Gi"
    mounted = {mount["name"] for mount in container["volumeMounts"]}
    assert mounted == {volume["name"] for volume in spec["volumes"]}


def test_the_nightly_run_ends_before_the_next_one() -> None:
    """One zone, no overlap, a start that may be late but not a day late, and an end well before the next start."""
    spec = JOBS[NIGHTLY]
    assert (spec["timeZone"], spec["concurrencyPolicy"]) == ("Etc/UTC", "Forbid")
    assert spec["startingDeadlineSeconds"] + job_spec(NIGHTLY)["activeDeadlineSeconds"] < 24 * 3600


def test_the_configuration_in_the_cluster_loads(tmp_path: Path) -> None:
    """The ConfigMap's configuration is one the program takes, and its secrets are the keys the README puts in place."""
    asked: list[Path] = []

    def read_file(path: Path) -> str:
        asked.append(path)
        return "invented"

    (tmp_path / "c.yaml").write_text(manifest("ConfigMap")["data"]["learnupon-sync.yaml"], encoding="utf-8")
    settings = load(tmp_path / "c.yaml", {}, read_file=read_file)
    mounts = {mount["name"]: mount["mountPath"] for mount in pod(NIGHTLY)["containers"][0]["volumeMounts"]}
    assert {str(path.parent) for path in asked} == {mounts["secrets"]}
    told = re.findall(r"--from-file=(\S+)", (ROOT / "cron" / "README.md").read_text(encoding="utf-8"))
    assert sorted(path.name for path in asked) == sorted(told)
    assert str(settings.state_dir) == mounts["state"]


@pytest.mark.parametrize("name", JOBS)
def test_the_secrets_are_not_for_everybody(name: str) -> None:
    """Secret files are readable by the pod's group only: the program refuses those that everybody can read."""
    (secret,) = [volume["secret"] for volume in pod(name)["volumes"] if "secret" in volume]
    assert secret["defaultMode"] & 0o007 == 0
    assert pod(name)["securityContext"]["fsGroup"] == pod(name)["securityContext"]["runAsGroup"]


def accepted(arguments: list[str]) -> tuple[int, str]:
    """Give the arguments to the program with --help at the end: it parses them all and does nothing."""
    told = io.StringIO()
    with redirect_stdout(told), redirect_stderr(told):
        code = main([*arguments, "--help"], {})
    return code, told.getvalue()


@pytest.mark.parametrize("name", JOBS)
def test_the_arguments_are_the_programs(name: str) -> None:
    """Every argument in a manifest is one the command line knows, and the configuration is where it is mounted."""
    (container,) = pod(name)["containers"]
    code, told = accepted([argument.replace("$(JOB_COMPLETION_INDEX)", "0") for argument in container["args"]])
    assert code == 0, told
    mounts = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
    assert Path(container["args"][1]).parent == Path(mounts["config"])
    assert Path(container["args"][1]).name in manifest("ConfigMap")["data"]


def test_every_shard_has_its_pod_and_the_totals_come_last() -> None:
    """By portal: as many pods as shards, each with its number, and the totals start after the portals' time is over."""
    portals, totals = JOBS["learnupon-sync-by-portal"], JOBS["learnupon-sync-totals"]
    indexed = portals["jobTemplate"]["spec"]
    arguments = pod("learnupon-sync-by-portal")["containers"][0]["args"]
    assert indexed["completionMode"] == "Indexed"
    assert arguments[arguments.index("--shard") + 1] == f"$(JOB_COMPLETION_INDEX)/{indexed['completions']}"
    minutes = [int(spec["schedule"].split()[1]) * 60 + int(spec["schedule"].split()[0]) for spec in (portals, totals)]
    latest = portals["startingDeadlineSeconds"] + indexed["activeDeadlineSeconds"]
    assert minutes[1] - minutes[0] >= latest / 60


@pytest.mark.parametrize("name", JOBS)
def test_retries_outlast_a_dead_pods_lease(name: str) -> None:
    """A killed pod's lease holds its retries up for ten minutes: the cluster's doubled waits are longer together."""
    spec = job_spec(name)
    tries = spec.get("backoffLimitPerIndex") or spec["backoffLimit"]
    waits = sum(min(10 * 2**number, 360) for number in range(tries))
    assert MARGIN.total_seconds() < waits < spec["activeDeadlineSeconds"] / 2


def gigabytes(quantity: str) -> float:
    """Return a quantity of Kubernetes in bytes: all of ours are Gi."""
    assert quantity.endswith("Gi")
    return int(quantity.removesuffix("Gi")) * 2**30


def disk(rows: int, *, held: bool) -> int:
    """Return the bytes that a run of so many enrollments takes, when Salesforce holds them already or none of them."""
    existing = {"LearnUponContactEnrollment__c": rows if held else 0}
    sent = [] if held else [Sent(creates=rows, desired=rows)]
    return space.with_slack(space.of_salesforce(existing) + space.of_learnupon(rows, existing) + space.of_writes(sent))


@pytest.mark.parametrize("name", JOBS)
def test_the_disk_fits_what_is_stated(name: str) -> None:
    """What is requested does for 4 million enrollments, 2 of a first load; the limit for 10 million in any night."""
    spec, (container,) = pod(name), pod(name)["containers"]
    sizes = {one["name"]: gigabytes(one["emptyDir"]["sizeLimit"]) for one in spec["volumes"] if "emptyDir" in one}
    assert disk(4_000_000, held=True) <= gigabytes(container["resources"]["requests"]["ephemeral-storage"])
    assert disk(2_000_000, held=False) <= gigabytes(container["resources"]["requests"]["ephemeral-storage"])
    assert max(disk(10_000_000, held=True), disk(10_000_000, held=False)) <= sizes["state"]
    assert sum(sizes.values()) < gigabytes(container["resources"]["limits"]["ephemeral-storage"])


def crontab() -> tuple[dict[str, str], list[list[str]]]:
    """Return the variables and the lines of the crontab, each line as its five fields and the command."""
    text = (ROOT / "cron" / "learnupon-sync.cron").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    variables = dict(line.split("=", 1) for line in lines if re.match(r"[A-Z_]+=", line))
    return variables, [line.split(None, 5) for line in lines if not re.match(r"[A-Z_]+=", line)]


def test_the_crontab_line_runs_the_program() -> None:
    """One line: a time of day in a named zone, a time limit, quiet, and arguments that the program knows."""
    variables, (line,) = crontab()
    assert {"MAILTO", "CRON_TZ", "TZ"} <= variables.keys()
    minute, hour, *days = line[:5]
    assert (int(minute) < 60, int(hour) < 24, days) == (True, True, ["*", "*", "*"])
    assert "%" not in line[5]  # cron would turn it into a line end
    words = shlex.split(line[5])
    assert words[:3] == ["cd", "/opt/learnupon-sync", "&&"]
    assert words[words.index("timeout") + 1] == "--signal=TERM"
    program = words[words.index("etl") + 1 : words.index(">/dev/null")]
    assert "-q" in program
    assert accepted(program)[0] == 0


@pytest.mark.parametrize("page", ["README.md", "learnupon-sync.cron"])
def test_installing_the_crontab_line_keeps_the_other_lines(page: str, tmp_path: Path) -> None:
    """The command that both pages give adds to a user's crontab: what was in it stays, above what is added."""
    (command,) = re.findall(
        r"^[$#] +(.*crontab.*\| .*)$", (ROOT / "cron" / page).read_text(encoding="utf-8"), re.MULTILINE
    )
    kept, tool = tmp_path / "kept", tmp_path / "crontab"
    tool.write_text(f'#!/bin/sh\n[ "$1" = -l ] && exec cat {kept}\ncat "$1" > {kept}.new && mv {kept}.new {kept}\n')
    tool.chmod(0o755)
    kept.write_text("0 1 * * * backup\n", encoding="utf-8")
    path = f"{tmp_path}:{os.environ['PATH']}"
    subprocess.run(["sh", "-c", command], cwd=ROOT, env={**os.environ, "PATH": path}, check=True)
    ours = (ROOT / "cron" / "learnupon-sync.cron").read_text(encoding="utf-8")
    assert kept.read_text(encoding="utf-8") == f"0 1 * * * backup\n{ours}"


def test_the_image_is_made_of_what_exists() -> None:
    """The Dockerfile copies files that exist and pass its ignore list, requires hashes, and leaves root."""
    text = (FOLDER / "Dockerfile").read_text(encoding="utf-8")
    sources = [
        words[1] for words in map(str.split, text.splitlines()) if words[:1] == ["COPY"] and "--" not in words[1]
    ]
    allowed = (FOLDER / "Dockerfile.dockerignore").read_text(encoding="utf-8").splitlines()
    assert sources == ["requirements.lock", "etl"]
    assert all((ROOT / source).exists() and f"!{source}" in allowed for source in sources)
    assert "--require-hashes" in text
    user = re.findall(r"^USER (\d+):", text, re.MULTILINE)
    assert user == [str(pod(NIGHTLY)["securityContext"]["runAsUser"])]
    assert 'ENTRYPOINT ["python", "-m", "etl"]' in text
