"""`make up` once the toolchain is there: image, releases, local cloud, stack, model, deployment, proof.

Each step looks at what is there first, so that a second run, or one after an interruption, goes on from where it is.
What does not wait for another runs beside it. Runs as root; what a user's tools need is given back to the user.
"""

import os
import sys
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3

from localcloud.balancer import publish
from localcloud.image import Image
from localcloud.state import State
from ops import compare, delivery, environment
from ops.errors import UserError, interruptible, reported
from ops.follow import follow, interrupt_all
from ops.ownership import alone, give_back
from ops.stack import Stack
from ops.steps import Steps
from ops.store import Store
from ops.summary import summary

if TYPE_CHECKING:
    from ops.example import Registered, Trained

TRAINING_NICENESS = 10  # of one thread: Linux knows no other
HINT = "run `make up` again: it goes on from here; `make status` shows what runs"


class Bringup:
    """One `make up`: its steps share the board, the state folder and, once the cloud runs, the environment."""

    def __init__(self, state: State, steps: Steps) -> None:
        self.state = state
        self.steps = steps
        self.stack = Stack(state)

    def run(self) -> str:
        """Brings everything up and returns what to tell the user."""
        publish.check(self.state.read())
        self.build_image()
        together(self.build_releases, self.start_cloud)
        trained = together(self.bring_up_stack, self.train)[1]
        outputs = self.stack.outputs()
        self.write_mlflow_login(outputs)
        registered = self.register(trained)
        self.deploy(outputs, registered)
        proof = self.prove(outputs["url"], trained, registered)
        row = {name: round(value, 6) for name, value in trained.rows.iloc[0].items()}
        return summary(outputs, row, proof)

    def build_image(self) -> None:
        with self.steps.step("node image") as step:
            image = Image()
            outcome = "cached" if image.ready else "built"
            image.ensure(step.say)
            step.done(outcome)

    def build_releases(self) -> None:
        with self.steps.step("releases") as step:
            follow([sys.executable, "-m", "ops.release"], step.say, log=self.log("release"), hint=HINT)

    def start_cloud(self) -> None:
        """A running cloud is kept, unless an operation on its stack was killed halfway: then it starts anew, clean."""
        self.stack.unlock(self.steps.line)
        self.localcloud("start", "local cloud")
        self.enter_environment()
        self.stack.select()
        if self.stack.interrupted():
            self.steps.line("     an earlier `pulumi up` was killed halfway: starting the local cloud anew")
            self.localcloud("stop", "local cloud, stop")
            self.localcloud("start", "local cloud, clean")
            self.enter_environment()
            self.stack.select()

    def localcloud(self, verb: str, name: str) -> None:
        with self.steps.step(name) as step:
            log = self.log(f"localcloud-{verb}")
            follow([sys.executable, "-m", "localcloud", verb], step.say, log=log, hint=HINT)

    def enter_environment(self) -> None:
        running = self.state.read()
        if running is None or not running.alive:
            raise UserError("the local cloud ended right after its start", f"see {self.state.folder / 'log'}")
        variables = environment.environment(self.state, running.api_port, os.environ["PATH"])
        environment.write(self.state, variables)
        environment.applied(variables)
        give_back(self.state)

    def bring_up_stack(self) -> None:
        with self.steps.step("pulumi up") as step:
            self.stack.up(step)

    def train(self) -> "Trained":
        """Importing mlflow and scikit-learn takes seconds, so it happens here, beside `pulumi up`, whose machines boot
        meanwhile and go first: nobody waits for this thread before they are there."""
        os.setpriority(os.PRIO_PROCESS, 0, TRAINING_NICENESS)
        with self.steps.step("train the example model") as step:
            from ops import example

            trained = example.train()
            step.done(f"{len(trained.rows)} rows")
        return trained

    def write_mlflow_login(self, outputs: dict[str, Any]) -> None:
        """Adds MLflow's address and login to `.slipway/env`, now that the tracking node has made them."""
        client = boto3.client("secretsmanager")
        secret = client.get_secret_value(SecretId=outputs["mlflow_admin_secret_arn"])["SecretString"]
        login = environment.mlflow_environment(outputs["mlflow_url"], secret)
        running = self.state.read()
        assert running is not None
        variables = environment.environment(self.state, running.api_port, os.environ["PATH"]) | login
        environment.write(self.state, variables)
        environment.applied(login)

    def register(self, trained: "Trained") -> "Registered":
        with self.steps.step("log and register the model") as step:
            from ops import example

            step.log = self.log("register")
            with step.log.open("w") as log, redirect_stdout(log), redirect_stderr(log):
                registered = example.register(trained)
            step.done(f"{example.MODEL} version {registered.version}")
        return registered

    def deploy(self, outputs: dict[str, Any], registered: "Registered") -> None:
        at = Store(outputs["region"], outputs["bucket"], outputs["deployment_parameter"])
        model = f"{registered.model}/{registered.version}"
        with self.steps.step("deploy it to every node") as step:
            from ops import example

            deployed = delivery.deploy(self.state, at, f"{model}@{example.ALIAS}", step.say, self.log("deploy"))
            example.crown(registered)
            step.done(deployed)

    def prove(self, url: str, trained: "Trained", registered: "Registered") -> str:
        with self.steps.step("compare every prediction") as step, tempfile.TemporaryDirectory() as folder:
            from ops import example

            expected = example.offline_predictions(trained, registered, Path(folder))
            proof = compare.compare(url, list(trained.rows.columns), trained.rows.values.tolist(), expected)
            step.done(proof)
        return proof

    def log(self, name: str) -> Path:
        return self.state.slipway / "log" / f"{name}.log"


def together(*works: Callable[[], Any]) -> list[Any]:
    """Runs the works side by side and waits for all. Raises the error of one, or all users' errors in one."""
    with ThreadPoolExecutor(len(works)) as pool:
        futures = [pool.submit(work) for work in works]
        try:
            wait(futures)
        except KeyboardInterrupt:
            interrupt_all()
            raise
    errors = [error for future in futures if (error := future.exception())]
    told = [error for error in errors if isinstance(error, UserError)]
    if len(told) > 1 and len(told) == len(errors):
        raise UserError("\n".join(error.message for error in told), told[0].hint)
    return [future.result() for future in futures]


def main() -> None:
    interruptible()
    state = State()
    with reported("make up"):
        state.create()
        give_back(state)
        with alone(state, "make up"):
            text = Bringup(state, Steps()).run()
        print(text)


if __name__ == "__main__":
    main()
