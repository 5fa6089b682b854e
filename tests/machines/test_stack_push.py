"""Pushes to live: a model and a module of it, from the operator's machine, and to the pipeline node where there is one.

On demand, for each is a training or a rollout of minutes: SLIPWAY_TEST_PUSH=1; with SLIPWAY_TEST_PIPELINE=1 the node's.
"""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from mlflow import MlflowClient

from contract import S3
from ops.environment import STACK
from ops.rollout.history import History, Outcome
from tests.machines.live import Live
from tests.machines.models import MODEL, Deployed

WANTED = "SLIPWAY_TEST_PUSH"
pytestmark = pytest.mark.skipif(os.environ.get(WANTED) != "1", reason=f"it trains and rolls out: {WANTED}=1")
NAME, ALIAS = "diabetes-pushed", "champion"
TRAIN = '[train]\npipeline = "pipelines/pushed.py"\n'


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

    def push(self) -> "subprocess.CompletedProcess[str]":
        return self.git("push", "slipway", "HEAD:production", check=False)


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
    if client.search_registered_models(filter_string=f"name = '{NAME}'"):
        client.delete_registered_model_alias(NAME, ALIAS)
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

    user.commit(slipway_dot_toml='[release]\nmodules = ["shop.py"]\n', shop_dot_py="PRICE = 3\n")
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
    if not stack.nodes("pipeline"):
        pytest.skip("no pipeline node: SLIPWAY_TEST_PIPELINE=1 brings one")
    argv = [str(stack.checkout / "ops" / "bin" / "slipway"), "push", "remote"]
    subprocess.run(argv, cwd=user.folder, check=True, timeout=60)
    commit = user.commit(slipway_dot_toml=TRAIN, pipelines__pushed_dot_py=pipeline(stack))
    done = user.push()
    assert done.returncode == 0, done.stderr
    assert "remote: ok   follow" in done.stderr
    assert set(stack.serving()) == {stack.store.pointer()}
    assert commit in user.git("ls-remote", "slipway").stdout
    assert stack.store.has(f"{S3.pushed}production.bundle")
    user.commit(slipway_dot_toml='[release]\nmodules = ["shop.py"]\n', shop_dot_py="PRICE = 3\n")
    assert "this node trains, and has no key for the fleet" in user.push().stderr
    shell = user.git("config", "core.sshCommand").stdout.strip()
    host = f"slipway-pipeline@{STACK}.slipway.internal"
    login = subprocess.run(["sh", "-c", f'{shell} "$@"', "sh", host, "id"], capture_output=True, text=True, check=False)
    assert login.returncode
    assert "uid=" not in login.stdout
