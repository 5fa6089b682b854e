"""One whole stack, brought up by `make up`, for all the tests that want it; and their order: the destructive last."""

import os
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from localcloud import control, metrics
from localcloud.image import Image
from ops.environment import UNSET
from ops.errors import UserError
from tests.machines import live, models
from tests.machines.live import Live
from tests.machines.load import Load
from tests.waiting import until

if TYPE_CHECKING:
    from ops.example import Trained

MINUTE_SECONDS = "2"  # of CloudWatch's: a policy acts after so many of them
# Each module finds the stack whole and leaves it whole; the last one ends it.
ORDER = (
    "test_stack_serving",
    "test_stack_ansible",
    "test_stack_closed",
    "test_stack_mlflow",
    "test_stack_training",
    "test_stack_cli",
    "test_stack_rollout",
    "test_stack_watcher",
    "test_stack_scaling",
    "test_stack_pulumi",  # leaves nodes of another type than the settings': the next `pulumi up` replaces them
    "test_stack_nodes",
    "test_stack_docs",
    "test_stack_recipes",
    "test_stack_jobs",
    "test_stack_workers",
    "test_stack_building",
    "test_stack_pipeline",
    "test_stack_push",
    "test_stack_permissions",
    "test_stack_end",
)
# What `make test` has the minutes for: that the stack serves, is closed, rolls, heals, scales and goes. Of these
# modules, too, some tests are marked as long.
SHORT = {
    "test_stack_serving",
    "test_stack_closed",
    "test_stack_cli",
    "test_stack_rollout",
    "test_stack_nodes",
    "test_stack_end",
}


@pytest.hookimpl(tryfirst=True)  # before those that are not asked for are left out
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests that need no stack first, then the stack's in that order; most of them are long."""
    names = {name: index for index, name in enumerate(ORDER)}
    items.sort(key=lambda item: names.get(item.path.stem, -1))
    for item in items:
        if item.path.parent.name == "machines" and item.path.stem not in SHORT:
            item.add_marker(pytest.mark.long)


@pytest.fixture(scope="session", autouse=True)
def image() -> None:
    """What machines and services run from, built where it is missing: a fresh machine's tests are not to be skipped."""
    if os.geteuid() == 0:
        Image().ensure(print)


@pytest.fixture(scope="session")
def stack(request: pytest.FixtureRequest) -> Iterator[Live]:
    """Up and serving the example model. This process lives in its environment until the session ends.

    With SLIPWAY_KEEP_STACK=1 it stays up after the tests, and the next session takes it as it is.
    """
    if os.geteuid() != 0:
        pytest.skip("the whole stack needs root")
    keep = bool(os.environ.get("SLIPWAY_KEEP_STACK"))
    found = live.prepare(live.PLACE, keep=keep, changed=live.settings())
    with pytest.MonkeyPatch.context() as patch:
        ready = False
        patch.setenv(metrics.VARIABLE, MINUTE_SECONDS)
        try:
            found.make("up")
            ready = True
            for name in UNSET:
                patch.delenv(name, raising=False)
            for name, value in found.environment().items():
                patch.setenv(name, value)
            yield found
        except UserError as error:
            pytest.fail(str(error), pytrace=False)
        finally:
            if request.session.testsfailed or not ready:
                sys.stderr.write(live.logs(found.state))
            if not keep:
                control.stop(found.state, print)


@pytest.fixture(scope="session")
def example() -> "Trained":
    """The offline model that `make up` has delivered."""
    from ops import example

    return example.train()


@pytest.fixture(scope="session")
def first(stack: Live, example: "Trained") -> models.Deployed:
    """What `make up` has deployed."""
    return models.Deployed(stack.store.pointer(), models.predict(example.forest, example.rows))


@pytest.fixture(scope="session")
def second(stack: Live, example: "Trained") -> models.Deployed:
    """Another version of the same model, in a deployment of its own that nothing serves yet."""
    forest = models.train_another(example)
    version = models.register(forest, example)
    made = stack.run("python3", "-m", "ops", "deployment", "make", f"{models.MODEL}/{version}")
    return models.Deployed(models.identity(made.stdout), models.predict(forest, example.rows))


@pytest.fixture(scope="session")
def iris(stack: Live) -> str:
    """The version of the model that a page's script logs, registers and crowns. It carries no alias any more."""
    stack.run("slipway", "pause", "--reason", "a test")
    try:
        return models.register_iris(lambda script: stack.run(sys.executable, "-c", script))
    finally:
        stack.run("slipway", "resume")


@pytest.fixture
def load(stack: Live, example: "Trained", first: models.Deployed, second: models.Deployed) -> Iterator[Load]:
    """Runs through the whole test: it forgives nothing."""
    right = {each.id: each.value for each in (first, second)}
    with Load(stack.url, models.body(example.rows), right) as running:
        until(lambda: running.deployments, "the first answer under load")
        yield running
    print(running)
