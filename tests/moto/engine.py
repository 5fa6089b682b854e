"""The real engine, driven as a user drives it, in folders of its own."""

import json
import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
PROJECT = """
name: {name}
runtime:
  name: python
  options: {{virtualenv: {root}/.venv}}
"""


@dataclass
class Stack:
    """One project and stack. `write` its program, then `up`, `refresh`, `destroy`; `state` is what the engine keeps."""

    folder: Path
    engine: Path
    environment: Mapping[str, str]
    name: str = "test"
    config: dict[str, str] = field(default_factory=dict)

    def create(self, program: str) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "Pulumi.yaml").write_text(PROJECT.format(name=self.name, root=ROOT))
        self.write(program)
        self.init()
        for key, value in self.config.items():
            self.set(key, value)

    def init(self) -> None:
        """Of a project that is there already."""
        (self.folder / "state").mkdir()
        self.run("stack", "init", self.name)

    def write(self, program: str) -> None:
        (self.folder / "__main__.py").write_text(program)

    def set(self, key: str, value: str) -> None:
        self.run("config", "set", "--path", key, value)

    def run(self, *argv: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        environment = {
            **os.environ,
            "PATH": f"{ROOT}/localcloud/provider/bin:{self.engine.parent}:{os.environ['PATH']}",
            "PULUMI_BACKEND_URL": f"file://{self.folder}/state",
            "PULUMI_HOME": str(self.folder / "home"),
            "PULUMI_CONFIG_PASSPHRASE": "test",
            "PULUMI_SKIP_UPDATE_CHECK": "true",
            "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
            "PULUMI_DISABLE_REGISTRY_RESOLVE": "true",
            "PULUMI_PYTHON_CMD": f"{ROOT}/.venv/bin/python",
            **self.environment,
        }
        done = subprocess.run(
            [self.engine, *argv, "--non-interactive", "--color=never"],
            cwd=self.folder,
            env=environment,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        if check and done.returncode:
            raise AssertionError(f"pulumi {' '.join(argv)} failed\n{done.stdout}\n{done.stderr}")
        return done

    def up(self, *argv: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        return self.run("up", "--yes", "--skip-preview", "--suppress-outputs", *argv, check=check)

    def preview(self) -> list[dict[str, Any]]:
        """The steps that a preview plans, without those that change nothing."""
        steps = json.loads(self.run("preview", "--json").stdout)["steps"]
        return [step for step in steps if step["op"] not in ("same", "read")]

    def refresh(self) -> str:
        return self.run("refresh", "--yes", "--skip-preview", "--diff").stdout

    def destroy(self) -> None:
        self.run("destroy", "--yes", "--skip-preview")

    def resources(self) -> list[dict[str, Any]]:
        state = json.loads(self.run("stack", "export").stdout)
        return [each for each in state["deployment"].get("resources", []) if each["type"].startswith("aws:")]

    def resource(self, name: str, kind: str = "") -> dict[str, Any]:
        """By its logical name, and the last part of its type where several bear that name."""
        return next(each for each in self.resources() if each["urn"].endswith(f"{kind}::{name}"))
