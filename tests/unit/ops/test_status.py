"""The status of a fleet: read from what nodes say, judged against the pointer, drawn for any width."""

from dataclasses import replace
from typing import Any

import click
import pytest

from ops.nodes import Node
from ops.status import queue
from ops.status.facts import NodeStatus, Status, WantedModel, node_status
from ops.status.gather import unserved, wanted
from ops.status.judge import judged
from ops.status.show import show

NOW = 1_800_000_000.0
WANTED, OTHER = "3f2a9c1b7d20", "aaaaaaaaaaaa"
NODE = Node(
    id="i-0123456789abcdef0", role="serving", state="running", address="10.0.0.1", zone="us-east-1a", group="fleet"
)
DIGEST = "d" * 64


def said(deployment: str = WANTED, **more: Any) -> dict[str, Any]:
    """What `slipway-activate status --json --server` prints."""
    models = [{"name": "iris", "version": "2", "status": "ready", "kind": "compiled"}]
    worker = {"number": 1, "deployment": deployment, "since": "2027-01-15T07:00:00.000+00:00", "ready": True}
    return {
        "serving": deployment,
        "slot": "a",
        "confirmed": deployment,
        "provisional": None,
        "seconds_left": None,
        "draining": False,
        "last_error": None,
        "server": {
            "last_error": None,
            "counts": {"requests": 120.0, "errors": 0.0},
            "version": {
                "deployment": deployment,
                "release": "r" * 64,
                "models": [{"name": "iris", "version": "2", "digest": DIGEST}],
                "workers": [{**worker, "models": models}, {**worker, "number": 2, "models": models}],
            },
        },
        **more,
    }


def node(answer: dict[str, Any] | str | None = None, health: str = "healthy") -> NodeStatus:
    return node_status(NODE, health, said() if answer is None else answer, NOW)


def status(*nodes: NodeStatus, **more: Any) -> Status:
    models = [WantedModel(name="iris", version="2", digest=DIGEST, aliases={"champion": "2"})]
    given = {"stack": "local", "deployment": WANTED, "release": "r" * 64, "models": models, "alias": "champion"}
    return judged(Status(**{**given, "nodes": nodes, **more}))


def test_all_agree() -> None:
    assert status(node(), node()).problems == []
    assert status(node()).agrees


@pytest.mark.parametrize(
    ("answer", "health", "problem"),
    [
        ("no answer within 20 s", "unhealthy", "no answer within 20 s"),
        (said(OTHER), "healthy", f"serves {OTHER}, not {WANTED}"),
        (said(provisional=WANTED, seconds_left=40), "healthy", "is provisional, 40 s are left"),
        (said(), "unhealthy", "the balancer finds it unhealthy"),
        ({**said(), "server": {"error": "no model server answers: refused"}}, "healthy", "no model server answers"),
    ],
)
def test_a_node_that_does_not_agree_is_named_with_the_reason(answer: Any, health: str, problem: str) -> None:
    found = status(node(), node(answer, health))
    assert not found.agrees
    assert any(problem in each and NODE.name in each for each in found.problems), found.problems


def worker_says(**more: Any) -> NodeStatus:
    answer = said()
    answer["server"]["version"]["workers"][1] |= more
    return node(answer)


@pytest.mark.parametrize(
    ("more", "problem"),
    [
        ({"deployment": OTHER}, f"worker 2: serves {OTHER}, its node {WANTED}"),
        ({"ready": False}, "worker 2: is not ready"),
        ({"models": []}, "worker 2: does not serve iris/2"),
        ({"models": [{"name": "iris", "version": "1"}]}, "worker 2: serves iris/1, which is not what"),
    ],
)
def test_a_worker_that_does_not_agree_is_named_too(more: dict[str, Any], problem: str) -> None:
    (first, *_) = status(worker_says(**more)).problems
    assert problem in first


def test_another_digest_of_the_same_version_is_a_disagreement() -> None:
    models = [WantedModel(name="iris", version="2", digest="e" * 64)]
    assert not status(node(), models=models).agrees


def test_a_fleet_without_nodes_does_not_agree() -> None:
    assert status().problems == ["there is no serving node"]


def test_a_registry_that_is_away_or_ahead_is_no_disagreement() -> None:
    away = wanted({"name": "iris", "version": "2", "digest": DIGEST}, None)
    ahead = wanted({"name": "iris", "version": "2", "digest": DIGEST}, {"iris": {"champion": "3"}})
    assert away.aliases is None
    assert ahead.aliases == {"champion": "3"}
    assert status(node(), models=[away], registry_error="MLflow does not answer").agrees
    assert status(node(), models=[ahead]).agrees


def test_models_that_carry_the_alias_and_are_not_deployed_are_named() -> None:
    known = {"iris": {"champion": "2"}, "wine": {"champion": "7"}, "old": {}}
    assert unserved({"models": [{"name": "iris"}]}, known, "champion") == ["wine/7"]
    assert unserved({"models": []}, None, "champion") == []


def text(found: Status, width: int) -> list[str]:
    return [click.unstyle(line) for line in show(found, width)]


def test_the_table_says_what_every_worker_serves() -> None:
    lines = text(status(node()), 140)
    assert lines[0] == f"local  deployment {WANTED}  1 of 1 nodes serve it"
    (first,) = (line for line in lines if "worker 1" in line)
    assert first.split()[1:] == ["worker", "1", "ready", WANTED, "iris/2", DIGEST[:8], "compiled", *first.split()[-2:]]
    assert any(NODE.name in line and "healthy" in line and "120" in line for line in lines)


@pytest.mark.parametrize("width", [60, 80, 100, 200])
def test_the_table_fits_the_terminal(width: int) -> None:
    away = status(
        node(),
        node("its host key is not the one that it showed on its console, " * 3),
        lock="somebody rolls out a deployment " * 5,
        paused="by somebody " * 10,
        registry_error="MLflow does not answer " * 5,
        models=[WantedModel(name="iris", version="2", digest=DIGEST)],
    )
    assert max(map(len, text(away, width))) <= width


def test_what_went_wrong_is_shown_beneath() -> None:
    answer = said(last_error={"deployment": OTHER, "message": "iris/3 does not load", "reason": "gate"})
    answer["server"]["last_error"] = {"time": NOW - 600, "message": "the model raised"}
    lines = "\n".join(text(status(node(answer)), 200))
    assert "last error 10 min ago: the model raised" in lines
    assert f"refused deployment {OTHER}: iris/3 does not load" in lines


def test_a_deployment_without_models_is_shown_as_such() -> None:
    bare = replace(status(), models=[], unserved=["wine/7"])
    assert "no model is deployed" in "\n".join(text(bare, 80))
    assert "wine/7 carries @champion and is not deployed" in "\n".join(text(bare, 80))


TRIAL = {"deployment": OTHER, "slot": "b", "percent": 0, "answers": {"same": 7, "different": 1, "first": ["r-1"]}}
ON = {"trial": OTHER, "trial_percent": 0, "trial_words": f"deployment {OTHER} gets a copy of every prediction"}


def test_a_trial_is_named_and_is_no_disagreement() -> None:
    found = status(node(said(trial=TRIAL)), node(), **ON)
    assert found.problems == []
    text = click.unstyle("\n".join(show(found, 200)))
    assert f"deployment {OTHER} gets a copy of every prediction; on 1 of 2 nodes; answers: 7 same, 1 different" in text
    assert max(len(click.unstyle(line)) for line in show(found, 60)) <= 60


def test_a_trial_that_the_fleet_knows_nothing_of_is_a_problem_unless_a_rollout_is_under_way() -> None:
    stray = f"deployment {OTHER} gets copies of its predictions, which no trial of the fleet says"
    assert status(node(said(trial=TRIAL))).problems == [f"{NODE.name}: {stray}"]
    assert status(node(said(trial={**TRIAL, "percent": 5})), **ON).problems == [
        f"{NODE.name}: deployment {OTHER} gets 5% of its predictions, which no trial of the fleet says"
    ]
    assert status(node(said(trial=TRIAL)), lock="ada tries it").problems == []


def test_jobs_are_one_line_and_none_where_there_are_none() -> None:
    broker = Node(id="i-b", role="broker", state="running", address="10.0.0.1", zone="a", group=None)

    def with_jobs(**jobs: Any) -> NodeStatus:
        return NodeStatus(name="n", id="i", state="running", health="healthy", jobs=jobs)

    well, alone = with_jobs(broker=True, database=True, queued=7), with_jobs(broker=False, database=True, queued=9)
    silent = with_jobs(error="nobody accepts jobs: refused")
    assert queue.words([well, alone], [broker]) == "9 queued; 1 of 2 nodes accept them; broker-i-b running"
    workers = [
        Node(id="i-w", role="worker", state=each, address="", zone="a", group=None) for each in ("running", "pending")
    ]
    assert "1 of 1 nodes accept them; 1 of 2 worker nodes run; " in queue.words([well], [broker], workers)
    assert queue.words([silent], []) == "nobody knows how many are queued; 0 of 1 nodes accept them; no broker"
    assert queue.words([NodeStatus(name="n", id="i", state="running", health="healthy")], []) == ""
