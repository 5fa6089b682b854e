"""A user's repository, a bare one that takes its pushes by the real hooks, and a `slipway` that obeys the test."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ops.push import init, pushes
from ops.push.repository import Repository
from tests.json_lines import whole_lines
from tests.waiting import until

TRAIN = '[train]\npipeline = "pipelines/prices.py"\n'
PROMOTED = {
    "model": "prices",
    "version": "7",
    "champion": "6",
    "decision": "better",
    "deployment": "aaaaaaaaaaaa",
    "outcome": "promoted",
    "why": "rmse 1, the champion's is 2",
}
# It answers what `answers.json` says of a verb, notes how it was called, and waits while `hold` is there.
PROGRAM = """#!{python}
import json, os, sys, time
from pathlib import Path
here = Path({folder!r})
verb = sys.argv[1]
seen = {{"argv": sys.argv[1:], "cwd": os.getcwd(), "by": os.environ.get("SLIPWAY_BY"),
        "git": [name for name in os.environ if name.startswith("GIT_")],
        "files": sorted(str(each.relative_to(os.getcwd())) for each in Path.cwd().rglob("*") if each.is_file()),
        "pipelines": os.environ.get("SLIPWAY_PIPELINES")}}
with (here / "calls").open("a") as calls:
    calls.write(json.dumps(seen) + "\\n")
answer = json.loads((here / "answers.json").read_text()).get(verb, {{}})
print("...  validate", file=sys.stderr, flush=True)
while (here / "hold").exists():
    time.sleep(0.02)
for number in range(answer.get("lines", 0)):
    print(f"line {{number}} {{'.' * 200}}", file=sys.stderr, flush=True)
if "error" in answer:
    print(f"slipway {{verb}}: {{answer['error']}}", file=sys.stderr)
    sys.exit(1)
print(answer.get("prints", ""))
"""


# Read by every Python that a hook starts: the node's facts are where the test has them.
SHIM = """import contract
object.__setattr__(contract.PATHS, "facts", {facts!r})
"""


@dataclass
class Place:
    """`user` is a working repository with a remote `slipway`, `bare` what that remote is."""

    user: Path
    bare: Repository
    fake: Path

    def git(self, *words: str, check: bool = True) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(["git", *words], cwd=self.user, capture_output=True, text=True, check=check)

    def commit(self, **files: str | None) -> str:
        """A commit with these files, whose names have `__` for `/` and `_dot_` for a dot; None removes one."""
        for name, content in files.items():
            path = self.user / name.replace("__", "/").replace("_dot_", ".")
            path.parent.mkdir(parents=True, exist_ok=True)
            if content is None:
                path.unlink()
            else:
                path.write_text(content)
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", "Another price")
        return self.git("rev-parse", "HEAD").stdout.strip()

    def push(self, what: str = "HEAD:production", *options: str) -> "subprocess.CompletedProcess[str]":
        return self.git("push", *options, "slipway", what, check=False)

    def pushing(self, what: str = "HEAD:production") -> "subprocess.Popen[str]":
        """A push under way, in a session of its own."""
        return subprocess.Popen(
            ["git", "push", "slipway", what],
            cwd=self.user,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def answer(self, **verbs: Any) -> None:
        (self.fake / "answers.json").write_text(json.dumps(verbs))

    def calls(self) -> list[dict[str, Any]]:
        file = self.fake / "calls"
        return whole_lines(file) if file.exists() else []

    def called(self, count: int) -> None:
        until(lambda: len(self.calls()) >= count, f"{count} calls of slipway")

    def hold(self) -> None:
        (self.fake / "hold").touch()

    def release(self) -> None:
        (self.fake / "hold").unlink(missing_ok=True)

    def on_a_node(self, facts: dict[str, Any]) -> None:
        """From now on the repository is that of a node with these facts."""
        folder = self.fake / "node"
        folder.mkdir(exist_ok=True)
        (folder / "facts.json").write_text(json.dumps(facts))
        (folder / "sitecustomize.py").write_text(SHIM.format(facts=str(folder / "facts.json")))
        python = ["env", f"PYTHONPATH={folder}:{init.ROOT}", sys.executable, "-P"]
        program = self.bare.program
        init.make(self.bare.folder, self.bare.branch, command=python)
        self.bare.git("config", "slipway.program", program)

    def outcome(self) -> pushes.Push:
        """Of the newest push, once it has ended."""
        return until(lambda: next((p for p in pushes.newest_first(self.bare) if p.outcome), None), "the push's end")


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)
    for name, value in {
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_AUTHOR_NAME": "Ada",
        "GIT_AUTHOR_EMAIL": "ada@example.com",
        "GIT_COMMITTER_NAME": "Ada",
        "GIT_COMMITTER_EMAIL": "ada@example.com",
        "SLIPWAY_BY": "ada@desk",
    }.items():
        monkeypatch.setenv(name, value)
    user, fake = tmp_path / "user", tmp_path / "fake"
    fake.mkdir()
    program = fake / "slipway"
    program.write_text(PROGRAM.format(python=sys.executable, folder=str(fake)))
    program.chmod(0o755)
    bare = init.make(tmp_path / "live.git", "production")
    bare.git("config", "slipway.program", str(program))
    subprocess.run(["git", "init", "--quiet", "--initial-branch", "work", user], check=True)
    made = Place(user, bare, fake)
    made.git("remote", "add", "slipway", str(bare.folder))
    made.answer(train={"prints": json.dumps(PROMOTED)})
    made.commit(slipway_dot_toml=TRAIN, pipelines__prices_dot_py="MODEL = 'prices'\n", shop_dot_py="")
    yield made
    made.release()
