"""`make down`: the stack is destroyed by Pulumi, then the local cloud stops and takes every leftover with it.

A cloud that no longer runs took the stack with it, so there only its leftovers and the stack's state are removed.
"""

import os
import shutil
import sys

from localcloud.state import State
from ops import environment
from ops.errors import UserError, interruptible, reported
from ops.follow import follow
from ops.ownership import alone
from ops.stack import Stack
from ops.steps import Steps

GENERATED = ("env", "passphrase", "pulumi", "pulumi-home", "ssh", "known_hosts")


def down(state: State, steps: Steps) -> None:
    """Raises the destroy's error only after the local cloud is gone too: nothing is left running either way."""
    failed: UserError | None = None
    Stack(state).unlock(steps.line)
    running = state.read()
    if running is not None and running.alive and running.ready:
        try:
            destroy(state, steps, running.api_port)
        except UserError as error:
            failed = error
    with steps.step("stop the local cloud") as step:
        log = state.slipway / "log" / "localcloud-stop.log"
        follow([sys.executable, "-m", "localcloud", "stop"], step.say, log=log, hint="see `make status`")
    remove_generated(state)
    if failed is not None:
        raise failed


def destroy(state: State, steps: Steps, api_port: int) -> None:
    variables = environment.environment(state, api_port, os.environ["PATH"])
    environment.write(state, variables)
    environment.applied(variables)
    stack = Stack(state)
    with steps.step("pulumi destroy") as step:
        stack.select()
        if stack.interrupted():
            step.done("left out: an earlier operation was killed halfway, and the cloud takes all of it along")
        else:
            stack.destroy(step)


def remove_generated(state: State) -> None:
    """What belongs to a stack that is gone. Releases and logs stay: they cost nothing and explain things."""
    for name in GENERATED:
        path = state.slipway / name
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def main() -> None:
    interruptible()
    state = State()
    with reported("make down"):
        state.create()
        with alone(state, "make down"):
            down(state, Steps())
        print("Everything is down. Cached downloads stay in ~/.cache/slipway; `make clean` removes the rest here.")


if __name__ == "__main__":
    main()
