"""`python -m ops.address url`: one output of the local stack, and nothing else, for scripts."""

import os
import sys

from localcloud.state import State
from ops import environment
from ops.errors import UserError, reported
from ops.stack import Stack


def address(name: str) -> str:
    state = State()
    running = state.read()
    if running is None or not running.alive or not running.ready:
        raise UserError("the local cloud is not running", "bring it up with `make up`")
    environment.applied(environment.environment(state, running.api_port, os.environ["PATH"]))
    value = Stack(state).outputs().get(name)
    if not value:
        raise UserError(f"the stack has no {name} yet", "bring it up with `make up`")
    return str(value)


if __name__ == "__main__":
    with reported("slipway"):
        print(address(sys.argv[1]))
