"""An alias that moves in MLflow, by the ordinary client, and what the watcher makes of it under load."""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import mlflow
import pytest
from mlflow import MlflowClient

from ops.store import Store
from tests.machines import models
from tests.machines.live import Live
from tests.machines.load import Load
from tests.machines.models import MODEL, Deployed
from tests.waiting import until

if TYPE_CHECKING:
    from ops.example import Trained

ALIAS = "champion"
UNIT = "slipway-watcher.service"
SECONDS = 300

BROKEN = """
import os
from mlflow.models import set_model
from mlflow.pyfunc import PythonModel

class Broken(PythonModel):
    def load_context(self, context):
        if "SLIPWAY_TRAINING" not in os.environ:
            raise RuntimeError("its weights are damaged")

    def predict(self, context, model_input, params=None):
        return [0.0] * len(model_input)

set_model(Broken())
"""


class Right(Mapping[str, float]):
    """What each deployment must answer, by the version of the example model in its manifest."""

    def __init__(self, at: Store, values: Mapping[str, float]) -> None:
        self._at, self._values = at, values
        self._known: dict[str, float] = {}

    def __getitem__(self, deployment: str) -> float:
        if deployment not in self._known:
            self._known[deployment] = self._values[served_models(self._at, deployment)[MODEL]]
        return self._known[deployment]

    def __iter__(self) -> Iterator[str]:
        return iter(self._known)

    def __len__(self) -> int:
        return len(self._known)


def served_models(at: Store, deployment: str) -> dict[str, str]:
    return {entry["name"]: entry["version"] for entry in at.manifest(deployment)["models"]}


@pytest.fixture(scope="module")
def client(stack: Live) -> MlflowClient:
    return MlflowClient()


@pytest.fixture(scope="module")
def champion(client: MlflowClient, first: Deployed) -> str:
    """The version that `make up` has delivered."""
    return str(client.get_model_version_by_alias(MODEL, ALIAS).version)


@pytest.fixture(scope="module")
def forest(example: "Trained") -> Any:
    return models.train_another(example)


@pytest.fixture(scope="module")
def another(stack: Live, forest: Any, example: "Trained") -> str:
    return models.register(forest, example)


@pytest.fixture
def load(stack: Live, example: "Trained", first: Deployed, champion: str, another: str, forest: Any) -> Iterator[Load]:
    right = Right(stack.store, {champion: first.value, another: models.predict(forest, example.rows)})
    with Load(stack.url, models.body(example.rows), right) as running:
        until(lambda: running.deployments, "the first answer under load")
        yield running
    print(running)


def status(client: MlflowClient, version: str, name: str = MODEL) -> str:
    return str(client.get_model_version(name, version).tags.get("slipway.status", ""))


def until_status(stack: Live, client: MlflowClient, version: str, wanted: str, name: str = MODEL) -> dict[str, str]:
    """The tags of the version, when they say so."""
    until(lambda: status(client, version, name) == wanted, lambda: f"{wanted}: {journal(stack)}", SECONDS)
    tags: dict[str, str] = client.get_model_version(name, version).tags
    return tags


def until_unmixed(stack: Live, **versions: str) -> None:
    """Every node serves what the pointer names, and that has just these models."""
    at = stack.store
    until(lambda: served_models(at, at.pointer()) == versions, lambda: journal(stack), SECONDS)
    until(lambda: set(stack.serving()) == {at.pointer()}, lambda: f"{stack.serving()}: {journal(stack)}", SECONDS)
    stack.until_idle()


def journal(stack: Live) -> str:
    return stack.shell(stack.nodes("tracking")[0], "journalctl", "-u", UNIT, "-o", "cat", "-n", "25").stdout


def playbook_runs(stack: Live) -> bool:
    node = stack.nodes("tracking")[0]
    return stack.shell(node, "pgrep", "-u", "slipway-watcher", "-f", "ansible.cli.playbook", check=False).ok


def test_an_alias_that_moves_reaches_every_node_and_no_request_fails(
    stack: Live, client: MlflowClient, load: Load, champion: str, another: str
) -> None:
    until(lambda: status(client, champion) == "deployed", "the watcher has seen what `make up` delivered")
    client.set_registered_model_alias(MODEL, ALIAS, another)
    tags = until_status(stack, client, another, "deployed")
    until_unmixed(stack, **{MODEL: another})
    assert tags["slipway.deployment"] == stack.store.pointer()
    assert tags["slipway.reason"] == ""
    until_status(stack, client, champion, "retired")
    until(lambda: stack.store.pointer() in load.deployments, "the load has met it")
    assert load.failures == [], load


def test_a_model_that_does_not_load_is_refused_with_the_reason_and_no_node_is_touched(
    stack: Live, client: MlflowClient, load: Load, another: str, example: "Trained", tmp_path: Path
) -> None:
    before, histories = stack.store.pointer(), [stack.activation(node)["history"] for node in stack.nodes("serving")]
    broken = register_broken(example, tmp_path)
    client.set_registered_model_alias(MODEL, ALIAS, broken)
    tags = until_status(stack, client, broken, "refused")
    assert "its weights are damaged" in tags["slipway.reason"]
    assert stack.store.pointer() == before
    assert [stack.activation(node)["history"] for node in stack.nodes("serving")] == histories
    assert load.failures == [], load
    client.set_registered_model_alias(MODEL, ALIAS, another)


def test_a_second_model_joins_by_its_alias_and_is_retired_with_it(
    stack: Live, client: MlflowClient, load: Load, example: "Trained", forest: Any, another: str
) -> None:
    version = models.register(forest, example, "second")
    client.set_registered_model_alias("second", ALIAS, version)
    until_status(stack, client, version, "deployed", "second")
    until_unmixed(stack, **{MODEL: another, "second": version})
    client.delete_registered_model_alias("second", ALIAS)
    until_status(stack, client, version, "retired", "second")
    until_unmixed(stack, **{MODEL: another})
    assert load.failures == [], load


@pytest.mark.parametrize("whom", ["main", "all"])
def test_a_watcher_that_is_killed_in_mid_rollout_leaves_no_mixed_fleet(
    stack: Live, client: MlflowClient, load: Load, champion: str, another: str, whom: str
) -> None:
    """`main` is the watcher alone, whose rollout goes on; `all` is the rollout too, that another takes up."""
    wanted = another if client.get_model_version_by_alias(MODEL, ALIAS).version == champion else champion
    client.set_registered_model_alias(MODEL, ALIAS, wanted)
    until(lambda: playbook_runs(stack), lambda: journal(stack))
    stack.shell(stack.nodes("tracking")[0], "systemctl", "kill", f"--kill-whom={whom}", "--signal=KILL", UNIT)
    until_status(stack, client, wanted, "deployed")
    until_unmixed(stack, **{MODEL: wanted})
    assert load.failures == [], load


def test_it_ends_as_it_began(stack: Live, client: MlflowClient, load: Load, first: Deployed, champion: str) -> None:
    client.set_registered_model_alias(MODEL, ALIAS, champion)
    until_unmixed(stack, **{MODEL: champion})
    until_status(stack, client, champion, "deployed")
    assert stack.store.pointer() == first.id, "the same release and models are the same deployment"
    assert load.failures == [], load


def register_broken(example: "Trained", folder: Path) -> str:
    """A model that works where it is logged and loads nowhere else."""
    script = folder / "broken.py"
    script.write_text(BROKEN)
    os.environ["SLIPWAY_TRAINING"] = "1"
    try:
        with mlflow.start_run(run_name="broken"):
            info = mlflow.pyfunc.log_model(
                name=MODEL,
                python_model=str(script),
                input_example=example.rows.head(2),
                registered_model_name=MODEL,
                pip_requirements=[],
            )
    finally:
        del os.environ["SLIPWAY_TRAINING"]
    return str(info.registered_model_version)


def test_the_watcher_has_no_rights_of_its_own(stack: Live) -> None:
    node = stack.nodes("tracking")[0]
    shown = stack.shell(node, "systemctl", "show", "-p", "CapabilityBoundingSet", "-p", "User", UNIT).stdout.split()
    assert set(shown) == {"CapabilityBoundingSet=", "User=slipway-watcher"}
