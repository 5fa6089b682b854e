"""A model that wants a package which the fleet has not: the tracking node builds a release that has it, under load.

On demand: it fetches every package of a server release from the machine's own index.
"""

import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from mlflow import MlflowClient

from contract import PATHS, S3
from tests.machines import live, models
from tests.machines.live import Live
from tests.machines.load import Load
from tests.machines.models import MODEL, Deployed
from tests.machines.test_stack_watcher import ALIAS, Right, journal, served_models, status, until_unmixed
from tests.waiting import until

if TYPE_CHECKING:
    from ops.example import Trained

PACKAGE = "toolz"
UNWHEELED = "pyspark==3.5.0"
IMPOSSIBLE = "scipy==1.9.0"
SECONDS = 900
KEPT = "/var/lib/slipway-watcher/releases"

pytestmark = [
    pytest.mark.timeout(1500),
    pytest.mark.skipif(not live.builds(), reason=f"it fetches 200 MB of packages: {live.BUILDING}=1"),
]


@pytest.fixture(scope="module", autouse=True)
def index() -> str:
    """The one that this machine's own tools use."""
    found = live.index()
    try:
        urllib.request.urlopen(f"{found}/{PACKAGE}/", timeout=30).close()
    except (urllib.error.URLError, ValueError) as error:
        pytest.skip(f"!!!! NO RELEASE IS BUILT: the index {found} cannot be reached: {error} !!!!")
    return found


@pytest.fixture(scope="module")
def client(stack: Live) -> MlflowClient:
    return MlflowClient()


@pytest.fixture(scope="module")
def forest(example: "Trained") -> Any:
    return models.train_another(example)


@pytest.fixture(scope="module", autouse=True)
def _as_it_was(stack: Live, client: MlflowClient, first: Deployed) -> Iterator[None]:
    """The tests after these find what `make up` has deployed, and the alias where it was."""
    champion = client.get_model_version_by_alias(MODEL, ALIAS).version
    until(lambda: status(client, champion) == "deployed", "the watcher has seen what `make up` delivered")
    yield
    client.set_registered_model_alias(MODEL, ALIAS, champion)
    until_unmixed(stack, **{MODEL: champion})
    stack.playbook("deploy.yml", "-e", f"deployment={first.id}")


def crown(stack: Live, client: MlflowClient, version: str, wanted: str) -> dict[str, str]:
    """Moves the alias, and waits for what comes of it; the version's tags then."""
    client.set_registered_model_alias(MODEL, ALIAS, version)
    until(lambda: status(client, version) == wanted, lambda: f"{wanted}: {journal(stack)}", SECONDS)
    tags: dict[str, str] = client.get_model_version(MODEL, version).tags
    return tags


@pytest.mark.parametrize(
    ("package", "says"),
    [(UNWHEELED, "has no wheel for the nodes"), (IMPOSSIBLE, "no set of packages satisfies")],
)
def test_what_no_release_can_have_is_refused_with_the_reason(
    stack: Live, client: MlflowClient, example: "Trained", forest: Any, package: str, says: str
) -> None:
    before = stack.store.pointer()
    version = models.register(forest, example, packages=[package])
    reason = crown(stack, client, version, "refused")["slipway.reason"]
    assert says in reason
    assert f"{MODEL}/{version} wants {package}" in reason
    assert stack.store.pointer() == before


def test_an_index_that_is_away_is_said_and_touches_nothing(
    stack: Live, client: MlflowClient, example: "Trained", forest: Any, index: str
) -> None:
    before = stack.store.pointer()
    version = models.register(forest, example, packages=[PACKAGE])
    with nowhere(stack, index):
        reason = crown(stack, client, version, "refused")["slipway.reason"]
    assert f"the index {index} cannot be read" in reason
    assert stack.store.pointer() == before


def test_the_watcher_builds_the_release_that_a_model_wants_and_rolls_it_out(
    stack: Live, client: MlflowClient, example: "Trained", forest: Any, first: Deployed
) -> None:
    at = stack.store
    before = at.manifest(at.pointer())
    champion = served_models(at, at.pointer())[MODEL]
    version = models.register(forest, example, packages=[PACKAGE])
    right = Right(at, {champion: first.value, version: models.predict(forest, example.rows)})
    with Load(stack.url, models.body(example.rows), right) as load:
        until(lambda: load.deployments, "the first answer under load")
        crown(stack, client, version, "deployed")
        until_unmixed(stack, **{MODEL: version})
        until(lambda: at.pointer() in load.deployments, "the load has met it")
    print(load)
    assert load.failures == [], load
    built = at.manifest(at.pointer())["release"]
    assert built != before["release"]
    assert at.has(f"{S3.releases}{built}.tar.zst")
    for node in stack.nodes("serving"):
        old, new = (f"{PATHS.releases}/{release}" for release in (before["release"], built))
        stack.shell(node, "test", "-d", f"{new}/lib/{PACKAGE}")
        stack.shell(node, "diff", "--recursive", f"{old}/src", f"{new}/src")
    left = stack.shell(stack.nodes("tracking")[0], "find", KEPT, "-maxdepth", "1", "-name", ".*-*").stdout
    assert left == "", "what was fetched is gone"


@contextmanager
def nowhere(stack: Live, index: str) -> Iterator[None]:
    """The tracking node takes itself for the index's host."""
    node, host = stack.nodes("tracking")[0], index.split("/")[2]
    stack.shell(node, "sh", "-c", f"cp /etc/hosts /run/hosts && echo '127.0.0.1 {host}' >> /etc/hosts")
    try:
        yield
    finally:
        stack.shell(node, "sh", "-c", "cat /run/hosts > /etc/hosts")
