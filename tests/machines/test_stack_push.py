"""Pushes to live: a model and a module of it, from the operator's machine, and to the pipeline node where there is one.

On demand, for each is a training or a rollout of minutes: SLIPWAY_TEST_PUSH=1; with SLIPWAY_TEST_PIPELINE=1 the node's.
"""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import mlflow
import numpy
import pandas
import pytest
import requests
from mlflow import MlflowClient
from mlflow.models import infer_signature

from contract import PATHS, S3
from ops.environment import STACK
from ops.orders.box import Box
from ops.rollout.history import History, Outcome
from tests.machines.live import Live
from tests.machines.models import MODEL, Deployed
from tests.machines.test_stack_watcher import SECONDS, journal, kill_in_mid_rollout, served_models
from tests.waiting import until

WANTED = "SLIPWAY_TEST_PUSH"
pytestmark = pytest.mark.skipif(os.environ.get(WANTED) != "1", reason=f"it trains and rolls out: {WANTED}=1")
NAME, ALIAS = "diabetes-pushed", "champion"
PRICED = "priced"
TRAIN = '[train]\npipeline = "pipelines/pushed.py"\n'
RELEASE = '[release]\nmodules = ["{module}"]\n'
# The model is this source: what it imports must be in the release that serves it.
ASKS_SHOP = """
import mlflow
import numpy
import shop


class Priced(mlflow.pyfunc.PythonModel):
    def predict(self, context, model_input, params=None):
        return numpy.full(len(model_input), shop.PRICE)


mlflow.models.set_model(Priced())
"""


class User:
    """Somebody's repository."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        self.git("init", "--quiet", "--initial-branch", "work")
        for name, value in (("user.name", "Ada"), ("user.email", "ada@example.com")):
            self.git("config", name, value)

    def git(self, *words: str, check: bool = True) -> "subprocess.CompletedProcess[str]":
        argv = ["git", *words]
        return subprocess.run(argv, cwd=self.folder, capture_output=True, text=True, check=check, timeout=600)

    def commit(self, **files: str) -> str:
        for name, content in files.items():
            path = self.folder / name.replace("__", "/").replace("_dot_", ".")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content)
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", "Another model")
        return self.git("rev-parse", "HEAD").stdout.strip()

    def node(self, stack: Live) -> None:
        """The pipeline node is the remote, and the work goes on from what is live there."""
        if not stack.nodes("pipeline"):
            pytest.skip("no pipeline node: SLIPWAY_TEST_PIPELINE=1 brings one")
        argv = [str(stack.checkout / "ops" / "bin" / "slipway"), "push", "remote"]
        subprocess.run(argv, cwd=self.folder, check=True, timeout=60)
        self.git("fetch", "--quiet", "slipway")
        if "slipway/production" in self.git("branch", "--remotes").stdout:
            self.git("checkout", "--quiet", "-B", "work", "slipway/production")

    def push(self) -> "subprocess.CompletedProcess[str]":
        return self.git("push", "slipway", "HEAD:production", check=False)

    def pushing(self) -> "subprocess.Popen[str]":
        """A push under way."""
        argv = ["git", "push", "slipway", "HEAD:production"]
        return subprocess.Popen(argv, cwd=self.folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def pipeline(stack: Live) -> str:
    """The project's own, under a name of the test's."""
    text = (stack.checkout / "pipelines" / "diabetes.py").read_text()
    return text.replace('MODEL = "diabetes-progression"', f'MODEL = "{NAME}"')


@pytest.fixture
def user(stack: Live, tmp_path: Path, first: Deployed) -> Iterator[User]:
    """What a test's pushes have brought goes with the test."""
    before = stack.store.pointer()
    yield User(tmp_path / "user")
    stack.until_idle()
    client = MlflowClient()
    for name in (NAME, PRICED):
        if client.search_registered_models(filter_string=f"name = '{name}'"):
            client.delete_registered_model_alias(name, ALIAS)
    if stack.store.pointer() != before:
        stack.run("slipway", "rollback", before, "--reason", "the test is over")


def test_pushes_bring_a_model_and_a_module_and_a_refused_one_changes_nothing(
    stack: Live, user: User, tmp_path: Path
) -> None:
    bare = tmp_path / "live.git"
    stack.run("slipway", "push", "init", bare)
    user.git("remote", "add", "slipway", str(bare))
    trained = user.commit(slipway_dot_toml=TRAIN, pipelines__pushed_dot_py=pipeline(stack))
    done = user.push()
    assert done.returncode == 0, done.stderr
    assert "remote: ok   follow" in done.stderr
    live = stack.store.pointer()
    assert {entry["name"] for entry in stack.store.manifest(live)["models"]} >= {MODEL, NAME}
    assert set(stack.serving()) == {live}

    user.commit(slipway_dot_toml=RELEASE.format(module="shop.py"), shop_dot_py="PRICE = 3\n")
    done = user.push()
    assert done.returncode == 0, done.stderr
    brought = next(iter(History(stack.store).newest_first()))
    assert (brought.outcome, brought.deployment) == (Outcome.DONE, stack.store.pointer())
    assert "Another model (Ada)" in brought.reason
    release = stack.store.manifest(stack.store.pointer())["release"]
    for node in stack.nodes("serving"):
        assert stack.shell(node, "cat", f"/opt/slipway/releases/{release}/src/shop.py").stdout == "PRICE = 3\n"

    served, tip = stack.store.pointer(), subprocess.check_output(["git", "--git-dir", bare, "rev-parse", "HEAD"])
    worse = pipeline(stack).replace("n_estimators=120", "n_estimators=1")
    user.commit(slipway_dot_toml=TRAIN, pipelines__pushed_dot_py=worse)
    done = user.push()
    assert done.returncode == 1
    assert "the model is not taken" in done.stderr
    assert subprocess.check_output(["git", "--git-dir", bare, "rev-parse", "HEAD"]) == tip
    assert tip.decode().strip() != trained
    assert set(stack.serving()) == {served}


def test_a_push_to_the_pipeline_node_trains_there_and_is_kept(stack: Live, user: User) -> None:
    user.node(stack)
    commit = user.commit(slipway_dot_toml=TRAIN, pipelines__pushed_dot_py=pipeline(stack))
    done = user.push()
    assert done.returncode == 0, done.stderr
    assert "remote: ok   follow" in done.stderr
    assert set(stack.serving()) == {stack.store.pointer()}
    assert commit in user.git("ls-remote", "slipway").stdout
    assert stack.store.has(f"{S3.pushed}production.bundle"), done.stderr
    shell = user.git("config", "core.sshCommand").stdout.strip()
    host = f"slipway-pipeline@{STACK}.slipway.internal"
    login = subprocess.run(["sh", "-c", f'{shell} "$@"', "sh", host, "id"], capture_output=True, text=True, check=False)
    assert login.returncode
    assert "uid=" not in login.stdout


def test_a_release_that_is_pushed_to_the_pipeline_node_is_built_and_rolled_out_by_the_tracking_node(
    stack: Live, user: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And a model that imports its module answers by it, before and after the module is another."""
    user.node(stack)
    commit = user.commit(slipway_dot_toml=RELEASE.format(module="shop.py"), shop_dot_py="PRICE = 3.0\n")
    done = user.push()
    assert done.returncode == 0, done.stderr
    for line in ("ordered from the tracking node", "ok   release", "ok   deploy", "live: release "):
        assert f"remote: {line}" in done.stderr, done.stderr
    brought = next(iter(History(stack.store).newest_first()))
    assert (brought.outcome, brought.deployment) == (Outcome.DONE, stack.store.pointer())
    assert "Another model (Ada)" in brought.reason
    assert brought.by.startswith("slipway-pipeline@"), "whoever pushed, and not the watcher"
    for node in stack.nodes("serving"):
        assert stack.shell(node, "cat", f"{PATHS.releases}/{release(stack)}/src/shop.py").stdout == "PRICE = 3.0\n"
    assert commit in user.git("ls-remote", "slipway").stdout
    assert Box(stack.store).open() == []

    monkeypatch.syspath_prepend(str(user.folder))
    version = register_one_that_imports(user.folder.parent)
    MlflowClient().set_registered_model_alias(PRICED, ALIAS, version)
    until(lambda: served(stack).get(PRICED) == version, lambda: journal(stack), SECONDS)
    until(lambda: set(stack.serving()) == {stack.store.pointer()}, lambda: journal(stack), SECONDS)
    assert price(stack) == 3.0
    stack.until_idle()

    user.commit(shop_dot_py="PRICE = 4.0\n")
    with user.pushing() as push:
        kill_in_mid_rollout(stack, "main")  # the watcher: its successor finds the order, and what became of it
        told = push.communicate(timeout=600)[0]
    assert push.returncode == 0, told
    assert price(stack) == 4.0
    assert served(stack)[PRICED] == version


def test_a_release_that_the_tracking_node_refuses_leaves_branch_and_fleet_as_they_were(stack: Live, user: User) -> None:
    user.node(stack)
    before, tip = stack.store.pointer(), user.git("ls-remote", "slipway").stdout
    user.commit(slipway_dot_toml=RELEASE.format(module="numpy.py"), numpy_dot_py="")
    done = user.push()
    assert done.returncode == 1
    assert "module numpy would hide the package of that name" in done.stderr
    assert "remote: FAIL release" in done.stderr
    assert "Traceback" not in done.stderr
    assert (stack.store.pointer(), user.git("ls-remote", "slipway").stdout) == (before, tip)
    assert set(stack.serving()) == {before}


def release(stack: Live) -> str:
    return str(stack.store.manifest(stack.store.pointer())["release"])


def served(stack: Live) -> dict[str, str]:
    return served_models(stack.store, stack.store.pointer())


def register_one_that_imports(folder: Path) -> str:
    """A version that answers with the price in `shop`, with no alias; `shop` must be importable here, too."""
    script = folder / "priced.py"
    script.write_text(ASKS_SHOP)
    rows = pandas.DataFrame({"count": [1.0, 2.0]})
    mlflow.set_experiment(PRICED)
    with mlflow.start_run():
        info = mlflow.pyfunc.log_model(
            name=PRICED,
            python_model=str(script),
            signature=infer_signature(rows, numpy.array([3.0, 3.0])),
            input_example=rows,
            registered_model_name=PRICED,
            pip_requirements=["pandas"],
        )
    return str(info.registered_model_version)


def price(stack: Live) -> float:
    rows = {"dataframe_split": {"columns": ["count"], "data": [[1.0]]}}
    answer = requests.post(f"{stack.url}/models/{PRICED}/invocations", json=rows, timeout=60)
    assert answer.status_code == 200, answer.text
    return float(answer.json()["predictions"][0])
