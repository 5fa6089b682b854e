"""The operator's verbs against S3, SSM and EC2: lock, pauses, history, and a whole status."""

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import contract
from ops import hostkeys
from ops.rollout.history import History, Kind, Outcome, Record
from ops.rollout.lock import Lock
from ops.store import Store
from tests.moto.local_api import IMAGE, LocalApi
from tests.moto.operator_rig import deployed, invoke, model
from tests.moto.test_rollout_objects import MINE
from tests.unit.ops.test_status import said


def test_a_pause_says_who_since_when_and_why_until_it_is_resumed(at: Store) -> None:
    assert invoke("pause", "--reason", "the campaign") == "paused\n"
    again = invoke("pause", "--reason", "another")
    assert again.startswith("paused already by ")
    assert again.endswith(": the campaign\n")
    assert invoke("resume").endswith(": the campaign\n")
    assert invoke("resume") == "it was not paused\n"


def test_the_lock_is_shown_and_broken(at: Store) -> None:
    assert invoke("lock", "show") == "nobody holds it\n"
    Lock(at).take(MINE)
    assert MINE.by in invoke("lock", "show", status=1)
    assert json.loads(invoke("lock", "show", "--json", status=1))["held"]["rollout"] == MINE.rollout
    assert MINE.deployment in invoke("lock", "break")
    assert invoke("lock", "break") == "nobody held it\n"


def record(deployment_id: str, previous: str, **more: Any) -> Record:
    given = Record(
        rollout=f"20260102T030405Z-{deployment_id}",
        deployment=deployment_id,
        previous=previous,
        by="ada@desk",
        reason="promote iris/2",
        started="2026-01-02T03:04:05+00:00",
        seconds=61.0,
        outcome=Outcome.DONE,
    )
    return replace(given, **more)


def test_the_history_is_a_table_or_json(at: Store) -> None:
    assert invoke("history") == ""
    History(at).write(record("a" * 12, "b" * 12))
    refused = record("c" * 12, "a" * 12, rollout="20260103T030405Z-cccccccccccc", outcome=Outcome.REFUSED)
    History(at).write(replace(refused, why="it breaks\nits callers", kind=Kind.DEPLOY))
    _, newest, oldest = invoke("history").splitlines()
    assert "cccccccccccc" in newest
    assert newest.endswith("refused  it breaks its callers")
    assert "aaaaaaaaaaaa" in oldest
    assert "61 s" in oldest
    (only,) = json.loads(invoke("history", "-n", "1", "--json"))
    assert (only["outcome"], only["why"]) == ("refused", "it breaks\nits callers")


def test_a_difference_is_between_ids_or_places(at: Store) -> None:
    old = deployed(at, model(at, metrics={"rmse": 2.0}))
    new = deployed(at, model(at, version="2", metrics={"rmse": 1.0}))
    History(at).write(record(new, old))
    shown = invoke("diff", "previous", "current", status=1)
    assert [line.split() for line in shown.splitlines() if line.startswith("metric")] == [
        ["metric", "iris", "rmse", "2", "1"]
    ]
    assert invoke("diff", new, "current") == "no difference\n"
    assert {change["what"] for change in json.loads(invoke("diff", old, new, "--json", status=1))} == {
        "model",
        "metric",
    }


@pytest.fixture
def fleet(api: LocalApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Path]:
    """Two serving nodes, and in place of ssh a program that prints what each is to answer: by id, the file of that."""
    tags = {contract.TAGS.stack: "moto", contract.TAGS.role: "serving"}
    listed = [{"Key": key, "Value": value} for key, value in tags.items()]
    made = api.client("ec2").run_instances(
        ImageId=IMAGE,
        InstanceType="t3.micro",
        MinCount=2,
        MaxCount=2,
        TagSpecifications=[{"ResourceType": "instance", "Tags": listed}],
    )
    api.turn()
    ids = [each["InstanceId"] for each in made["Instances"]]
    program = tmp_path / "bin" / "ssh"
    program.parent.mkdir()
    program.write_text(
        f'#!/bin/sh\nfor word; do case $word in admin@*) cat "{tmp_path}/${{word#admin@}}";; esac; done\n'
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    monkeypatch.setattr(hostkeys, "pinned", lambda *_: True)
    return {identity: tmp_path / identity for identity in ids}


def test_a_status_agrees_when_every_node_and_worker_does(at: Store, api: LocalApi, fleet: dict[str, Path]) -> None:
    entry = model(at, version="2")
    made = deployed(at, entry)
    right = said(made)
    right["server"]["version"]["models"][0]["digest"] = entry["digest"]
    for file in fleet.values():
        file.write_text(json.dumps(right))
    try:
        found = json.loads(invoke("status", "--json"))
        assert (found["agrees"], found["problems"], found["deployment"]) == (True, [], made)
        assert [node["id"] for node in found["nodes"]] == sorted(fleet)
        assert found["nodes"][0]["workers"][0]["models"][0]["form"] == "compiled"
        assert found["registry_error"] == "MLFLOW_TRACKING_URI names no server"
        broken, file = next(iter(fleet.items()))
        file.unlink()
        assert f"serving-{broken}: " in invoke("status", status=1)
    finally:
        api.client("ec2").terminate_instances(InstanceIds=list(fleet))
