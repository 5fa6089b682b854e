"""An alias that moves in MLflow, by the ordinary client, and what the watcher makes of it under load."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

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


def test_a_second_model_joins_by_its_alias_alone(
    stack: Live, client: MlflowClient, load: Load, another: str, iris: str
) -> None:
    client.set_registered_model_alias(models.IRIS, ALIAS, iris)
    until_status(stack, client, iris, "deployed", models.IRIS)
    until_unmixed(stack, **{MODEL: another, models.IRIS: iris})
    assert load.failures == [], load


def kill_in_mid_rollout(stack: Live, whom: str) -> None:
    """`main` is the watcher alone, whose rollout goes on; `all` is the rollout too, that another takes up."""
    until(lambda: playbook_runs(stack), lambda: journal(stack))
    stack.shell(stack.nodes("tracking")[0], "systemctl", "kill", f"--kill-whom={whom}", "--signal=KILL", UNIT)


def test_it_is_retired_with_its_alias_also_when_the_watcher_is_killed_in_mid_rollout(
    stack: Live, client: MlflowClient, load: Load, another: str, iris: str
) -> None:
    client.delete_registered_model_alias(models.IRIS, ALIAS)
    kill_in_mid_rollout(stack, "main")
    until_status(stack, client, iris, "retired", models.IRIS)
    until_unmixed(stack, **{MODEL: another})
    assert load.failures == [], load


def test_a_watcher_that_is_killed_with_its_rollout_takes_it_up_again_and_all_ends_as_it_began(
    stack: Live, client: MlflowClient, load: Load, first: Deployed, champion: str
) -> None:
    client.set_registered_model_alias(MODEL, ALIAS, champion)
    kill_in_mid_rollout(stack, "all")
    until_status(stack, client, champion, "deployed")
    until_unmixed(stack, **{MODEL: champion})
    assert stack.store.pointer() == first.id, "the same release and models are the same deployment"
    assert load.failures == [], load


def test_the_watcher_has_no_rights_of_its_own(stack: Live) -> None:
    node = stack.nodes("tracking")[0]
    shown = stack.shell(node, "systemctl", "show", "-p", "CapabilityBoundingSet", "-p", "User", UNIT).stdout.split()
    assert set(shown) == {"CapabilityBoundingSet=", "User=slipway-watcher"}
