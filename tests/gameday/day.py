"""The stack that a game day is played on, and what a row may do to it: as a user would, by MLflow and playbooks."""

import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from contract import S3
from ops.follow import bound
from ops.run import Result
from tests.gameday.load import CONNECTIONS, Load
from tests.machines import models
from tests.machines.live import Live
from tests.waiting import until

if TYPE_CHECKING:
    from mlflow import MlflowClient

    from ops.example import Trained

MODEL = models.MODEL
ALIAS = "champion"
FOLDER = Path(__file__).parent / "models"
STATUS, REASON = "slipway.status", "slipway.reason"
ENDED = ("deployed", "refused", "rolled-back")
OUTCOME_SECONDS = 300
SETTLE_SECONDS = 240


@dataclass
class Day:
    """`values` is what each version of the model answers to the load's row, offline; `marks` are moments of the row."""

    live: Live
    example: "Trained"
    values: dict[str, float] = field(default_factory=dict)
    marks: dict[str, float] = field(default_factory=dict)
    say: Callable[[str], None] = print

    @property
    def client(self) -> "MlflowClient":
        from mlflow import MlflowClient

        return MlflowClient()

    @property
    def body(self) -> bytes:
        return models.body(self.example.rows)

    @property
    def bmi(self) -> float:
        """Of the load's row."""
        return float(self.example.rows["bmi"].iloc[0])

    def load(self) -> Load:
        return Load(self.live.url, self.body)

    def mark(self, name: str) -> None:
        self.marks[name] = time.time()

    # models

    def know(self, version: str) -> None:
        """Asks a version of an earlier day, offline, for its answer; one that gives none serves nobody."""
        import mlflow.pyfunc

        with suppress(Exception):
            model = mlflow.pyfunc.load_model(f"models:/{MODEL}/{version}")
            self.values[version] = float(model.predict(self.example.rows.head(1))[0])

    def good(self, trees: int, packages: Sequence[str] = ()) -> str:
        """Registers a forest of so many trees, that may want more packages; returns its version."""
        from sklearn.ensemble import RandomForestRegressor

        forest = RandomForestRegressor(n_estimators=trees, random_state=trees).fit(
            self.example.rows, self.example.target
        )
        version = models.register(forest, self.example, packages=packages)
        self.values[version] = models.predict(forest, self.example.rows)
        return version

    def faulty(self, name: str, **config: Any) -> str:
        """Registers one of the models beside this file; returns its version."""
        import mlflow
        from mlflow.models import infer_signature

        from ops.example import requirements

        mlflow.set_experiment(MODEL)
        with mlflow.start_run(run_name=name):
            info = mlflow.pyfunc.log_model(
                python_model=str(FOLDER / f"{name}.py"),
                name=MODEL,
                model_config={**config, "bmi": self.bmi},
                signature=infer_signature(self.example.rows, self.example.rows["bmi"].to_numpy()),
                input_example=self.example.rows[self.example.rows["bmi"] != self.bmi].head(3),
                registered_model_name=MODEL,
                pip_requirements=requirements(),
            )
        version = str(info.registered_model_version)
        self.values[version] = self.bmi
        return version

    def move(self, version: str) -> None:
        """Moves the alias: all that a data scientist does."""
        self.mark("asked")
        self.client.set_registered_model_alias(MODEL, ALIAS, version)

    def outcome(self, version: str, seconds: float = OUTCOME_SECONDS) -> str:
        """What the watcher says became of a version, once it does."""

        def said() -> str:
            status = self.tags(version).get(STATUS, "")
            return status if status in ENDED else ""

        ended = until(said, f"the watcher says what became of version {version}", seconds)
        self.mark("outcome")
        return ended

    @property
    def champion(self) -> str:
        """The version that carries the alias."""
        return str(self.client.get_model_version_by_alias(MODEL, ALIAS).version)

    def followed(self, version: str, seconds: float = OUTCOME_SECONDS) -> None:
        """Waits until every node serves this version, and nothing is under way."""

        def serves() -> bool:
            return any(each["name"] == MODEL and each["version"] == version for each in self.manifest()["models"])

        until(serves, f"the fleet serves version {version}", seconds)
        self.settled()

    def made(self, version: str) -> str:
        """The id of a deployment of this version, made by hand and not rolled."""
        return models.identity(self.live.run("python3", "-m", "ops", "deployment", "make", f"{MODEL}/{version}").stdout)

    def tags(self, version: str) -> Mapping[str, str]:
        tags: Mapping[str, str] = self.client.get_model_version(MODEL, version).tags
        return tags

    def in_flight(self, rate: float) -> int:
        """How many requests may be lost with a machine: those that it holds, and those that are sent to it until the
        balancer has found out. `rate` is the whole fleet's, in requests a second.
        """
        import boto3

        arn = self.live.group("serving")["TargetGroupARNs"][0]
        check = boto3.client("elbv2").describe_target_groups(TargetGroupArns=[arn])["TargetGroups"][0]
        blind: int = check["HealthCheckIntervalSeconds"] * check["UnhealthyThresholdCount"]
        blind += check["HealthCheckTimeoutSeconds"]
        return CONNECTIONS + round(rate * blind / len(self.live.nodes("serving")))

    # playbooks

    def playbook(self, name: str, *words: str, check: bool = True) -> Result:
        return self.live.playbook(name, *words, check=check)

    @contextmanager
    def rolling(self, *words: str) -> Iterator[subprocess.Popen[str]]:
        """A rollout in a process group of its own, that a row may kill; it is ended when the row leaves."""
        argv = bound(["ansible-playbook", "playbooks/deploy.yml", *words], signal.SIGTERM)
        process = subprocess.Popen(
            argv,
            cwd=self.live.checkout,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        try:
            yield process
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
            process.wait(30)

    # the fleet

    @property
    def pointer(self) -> str:
        return self.live.store.pointer()

    def manifest(self) -> dict[str, Any]:
        """What the pointer's deployment is."""
        return self.live.store.manifest(self.pointer)

    def served(self) -> dict[str, str | None]:
        """The deployment that each serving node serves."""
        return {node.id: self.live.activation(node)["serving"] for node in self.live.nodes("serving")}

    def agreed(self, seconds: float = SETTLE_SECONDS) -> str:
        """The deployment that every node serves, once it is one, the pointer's, and nothing is provisional."""

        def one() -> str:
            wanted = self.pointer
            nodes = [self.live.activation(node) for node in self.live.nodes("serving")]
            whole = all(node["serving"] == node["confirmed"] == wanted for node in nodes)
            return wanted if nodes and whole else ""

        return until(one, f"every node serves the pointer's deployment: {self.served()}", seconds)

    def settled(self) -> str:
        """The deployment that the fleet has agreed on, with every node in service and no rollout under way."""
        found = self.agreed()
        self.live.until_whole("serving")
        self.live.until_idle()
        return found

    def sized(self, count: int) -> None:
        """Waits until the fleet has so many nodes, all in service."""
        until(lambda: len(self.live.whole("serving")) == count, f"{count} nodes are in service", SETTLE_SECONDS)

    def right(self) -> dict[str, float]:
        """What each deployment that there is answers to the load's row."""
        import boto3

        at = self.live.store
        found = {}
        client = boto3.client("s3")
        for entry in client.list_objects_v2(Bucket=at.bucket, Prefix=S3.deployments).get("Contents", []):
            if not (named := re.fullmatch(rf"{S3.deployments}([0-9a-f]{{12}})\.json", entry["Key"])):
                continue  # what lies beside a manifest
            manifest = json.loads(client.get_object(Bucket=at.bucket, Key=entry["Key"])["Body"].read())
            for model in manifest["models"]:
                if model["name"] == MODEL and model["version"] in self.values:
                    found[named.group(1)] = self.values[model["version"]]
        return found


def until_line(process: subprocess.Popen[str], pattern: str) -> str:
    """Reads what a process prints until a line matches. Fails when it ends first."""
    assert process.stdout is not None
    seen = []
    for line in process.stdout:
        seen.append(line)
        if re.search(pattern, line):
            return line
    raise AssertionError(f"it ended without {pattern!r}: {''.join(seen[-20:])}")
