"""The pure parts of slipway-activate. What it does to units and sockets is tested on a booted machine."""

import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import yaml
from botocore.exceptions import NoCredentialsError
from slipway_node import fetch, gate, state
from slipway_node.activation import Activation
from slipway_node.cloud import UNREACHABLE_PAUSES, Cloud, UnreachableError
from slipway_node.node import ActivationError, Node
from slipway_node.slots import Slots
from slipway_node.state import Placed, State

import contract
from contract.node_files import CLOUD_INIT, node_files
from ops import deployment
from tests.unit.slipway_rig import MODEL, RELEASE, Bucket, bucket, manifest, node_below


@pytest.fixture
def node(tmp_path: Path) -> Node:
    return node_below(tmp_path)


def test_the_contract_on_a_node_says_what_the_contract_says() -> None:
    written = next(file.content for file in node_files("serving") if file.path.endswith("contract.yaml"))
    assert yaml.safe_load(written) == json.loads(written) == yaml.safe_load(contract.FILE.read_text())


def test_every_failure_has_an_exit_status_of_its_own(node: Node) -> None:
    assert set(node.exits) == set(vars(contract.ACTIVATE_EXIT))
    assert len(set(node.exits.values())) == len(node.exits)


def test_a_manifest_is_taken_only_under_its_own_id(node: Node) -> None:
    content = manifest()
    deployment_id = deployment.identify(content)
    assert fetch.parse_manifest(deployment_id, content).release == RELEASE
    for wrong in ("000000000000", deployment_id[:11], "", f"{deployment_id}0"):
        with pytest.raises(ActivationError) as failure:
            fetch.parse_manifest(wrong, content)
        assert failure.value.exit_name == "digest"


def test_a_manifest_of_another_schema_is_refused() -> None:
    content = manifest(schema=2)
    with pytest.raises(ActivationError, match="schema 2, this node reads 1"):
        fetch.parse_manifest(deployment.identify(content), content)


def test_a_damaged_copy_of_a_manifest_is_fetched_anew(node: Node) -> None:
    content = manifest()
    deployment_id = deployment.identify(content)
    (node.deployments / f"{deployment_id}.json").write_bytes(content[:-1])
    assert fetch.read_manifest(node, deployment_id) is None


def test_a_deployment_is_fetched_whole_and_once(node: Node, tmp_path: Path) -> None:
    cloud, release, deployment_id = bucket(tmp_path / "bucket")
    fetch.deployment(node, cloud, deployment_id)
    assert (node.releases / release / "src/app.py").read_text() == "x = 1\n"
    (tmp_path / "bucket" / "releases" / f"{release}.tar.zst").unlink()
    (tmp_path / "bucket" / "deployments" / f"{deployment_id}.json").unlink()
    assert fetch.deployment(node, cloud, deployment_id).release == release, "what is here needs no network"


def test_a_release_that_is_not_what_its_name_says_is_not_kept(node: Node, tmp_path: Path) -> None:
    cloud, _, deployment_id = bucket(tmp_path / "bucket", release_name=RELEASE)
    with pytest.raises(ActivationError, match="what came has the digest") as failure:
        fetch.deployment(node, cloud, deployment_id)
    assert failure.value.exit_name == "digest"
    assert list(node.releases.iterdir()) == [], "nothing half-made stays"


def test_an_archive_cut_short_is_not_kept(node: Node, tmp_path: Path) -> None:
    cloud, release, deployment_id = bucket(tmp_path / "bucket")
    archive = tmp_path / "bucket" / "releases" / f"{release}.tar.zst"
    archive.write_bytes(archive.read_bytes()[:-20])
    with pytest.raises(ActivationError) as failure:
        fetch.deployment(node, cloud, deployment_id)
    assert failure.value.exit_name == "digest"
    assert list(node.releases.iterdir()) == []


def test_a_model_that_is_missing_is_an_error_of_fetching(node: Node, tmp_path: Path) -> None:
    cloud, release, _ = bucket(tmp_path / "bucket")
    content = manifest(release=release, models=[{"digest": MODEL}])
    deployment_id = deployment.identify(content)
    (tmp_path / "bucket" / "deployments" / f"{deployment_id}.json").write_bytes(content)
    with pytest.raises(UnreachableError, match="it does not exist") as failure:
        fetch.deployment(node, cloud, deployment_id)
    assert failure.value.exit_name == "fetch"


def test_state_is_read_back_as_it_was_written(node: Node) -> None:
    assert state.load(node.state) == State(), "a new node has promised nothing"
    written = State(Placed("aaaaaaaaaaaa", "a"), Placed("bbbbbbbbbbbb", "b", 12.5), ["aaaaaaaaaaaa"])
    state.save(node.state, written)
    assert state.load(node.state) == written
    assert [path.name for path in node.state.parent.iterdir()].count(node.state.name) == 1


def test_confirming_keeps_the_last_few_deployments_once_each() -> None:
    now = State()
    for name in ("one", "two", "three", "two", "four"):
        now = now.with_confirmed(Placed(name, "a", deadline=1.0))
    assert now.history == ["four", "two", "three"]
    assert now.confirmed == Placed("four", "a", None)
    assert now.provisional is None


def test_a_second_activation_finds_the_node_busy(node: Node) -> None:
    holder = (
        "import pathlib, sys; sys.path.insert(0, sys.argv[1]); from slipway_node import state\n"
        "with state.locked(pathlib.Path(sys.argv[2])): print('held', flush=True); input()"
    )
    argv = [sys.executable, "-c", holder, str(CLOUD_INIT / "bin"), str(node.state)]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout
        process.stdout.readline()
        with pytest.raises(ActivationError) as failure, state.locked(node.state):
            pass
        assert failure.value.exit_name == "busy"
        process.kill()
    with state.locked(node.state):
        pass  # a dead holder's lock is free


def test_a_link_moves_from_one_slot_to_the_other(node: Node) -> None:
    slots = Slots(node)
    assert slots.linked("current.sock") is None
    for slot in ("a", "b", "b"):
        slots.link("current.sock", slot)
        assert slots.linked("current.sock") == slot
    assert [path.name for path in node.run.iterdir()] == ["current.sock"]


def test_pruning_keeps_what_the_history_needs(node: Node, tmp_path: Path) -> None:
    content = manifest(models=[{"digest": MODEL}])
    deployment_id = deployment.identify(content)
    (node.deployments / f"{deployment_id}.json").write_bytes(content)
    for folder in (node.releases / RELEASE, node.models / MODEL, node.releases / "old", node.models / "old"):
        folder.mkdir()
    activation = Activation(node, Bucket(tmp_path))
    activation._prune(State(Placed("unreadable00", "a"), None, ["unreadable00"]))
    assert (node.releases / "old").exists(), "with its own manifest unreadable, a node removes nothing"
    activation._prune(State(Placed(deployment_id, "a"), None, [deployment_id]))
    assert [path.name for path in node.releases.iterdir()] == [RELEASE]
    assert [path.name for path in node.models.iterdir()] == [MODEL]


@pytest.mark.parametrize(
    ("actual", "expected", "agree"),
    [
        ({"predictions": [1.0, 2.0]}, {"predictions": [1.0, 2.0 + 1e-9]}, True),
        ({"predictions": [1.0]}, {"predictions": [1.1]}, False),
        ({"predictions": [1]}, {"predictions": [2]}, False),
        ({"predictions": [1e9]}, {"predictions": [1e9 + 1]}, True),
        ({"predictions": ["a"]}, {"predictions": ["b"]}, False),
        ({"predictions": [True]}, {"predictions": [1.0]}, False),
        ({"predictions": [None]}, {"predictions": [None]}, True),
        ({"predictions": [1.0, 2.0]}, {"predictions": [1.0]}, False),
        ({"predictions": []}, {"answers": []}, False),
        (None, {"predictions": []}, False),
    ],
)
def test_answers_agree_within_the_tolerance_and_in_everything_else(actual: Any, expected: Any, agree: bool) -> None:
    assert (gate.difference(actual, expected, 1e-6) is None) == agree


def test_a_difference_says_where_it_is() -> None:
    assert gate.difference({"p": [1.0, 3.0]}, {"p": [1.0, 2.0]}, 1e-6) == "answer.p[1] is 3.0, expected 2.0"


def test_an_unreachable_cloud_is_asked_for_minutes_before_a_boot_slows_down() -> None:
    assert sorted(UNREACHABLE_PAUSES) == UNREACHABLE_PAUSES
    assert UNREACHABLE_PAUSES[-1] <= 15, "IAM takes seconds to minutes; the balancer's grace period is passing"


def test_a_role_whose_credentials_came_late_is_asked_for_them_again(
    node: Node, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Client:
        def get_object(self, **_: str) -> None:
            raise NoCredentialsError

    made: list[str] = []

    class Session:
        def set_config_variable(self, name: str, value: int) -> None: ...

        def create_client(self, service: str, **_: Any) -> Client:
            made.append(service)
            return Client()

    monkeypatch.setitem(sys.modules, "awscli", ModuleType("awscli"))
    monkeypatch.setattr("botocore.session.Session", Session)
    cloud = Cloud(node)
    for _ in range(2):
        with pytest.raises(UnreachableError, match="credentials"):
            cloud.download("releases/x", tmp_path / "x")
    assert made == ["s3", "s3"], "a client without credentials never gets any"


def test_the_gate_asks_for_the_golden_set_too(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def answer(_: object, method: str, path: str, body: Any) -> tuple[int, dict[str, str], Any]:
        asked.append((method, path, body))
        return 200, {"X-Deployment": "d"}, {"predictions": [float(len(asked))]}

    def known(value: float) -> dict[str, Any]:
        return {"input": value, "output": {"predictions": [value]}, "tolerance": 1e-5}

    monkeypatch.setattr(gate, "ask", answer)
    node = SimpleNamespace(headers={"deployment": "X-Deployment"})
    model = {"name": "m/n", "version": "1", "expected": known(1.0), "golden": known(3.0)}
    with pytest.raises(ActivationError, match=r"model m/n/1 answers its golden set wrongly: .* is 2.0, expected 3.0"):
        gate.check_models(node, Path("socket"), SimpleNamespace(id="d", models=[model]))  # type: ignore[arg-type]
    assert asked == [("POST", "/models/m%2Fn/invocations", 1.0), ("POST", "/models/m%2Fn/invocations", 3.0)]
    asked.clear()
    del model["golden"]
    gate.check_models(node, Path("socket"), SimpleNamespace(id="d", models=[model]))  # type: ignore[arg-type]
    assert len(asked) == 1
