"""The policy at work under load: out, in again, and what the nodes that went had to say."""

from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING

import pytest

from ops import node_logs
from ops.environment import STACK
from tests.machines import models
from tests.machines.live import Live
from tests.machines.load import Load
from tests.machines.models import Deployed
from tests.waiting import until

if TYPE_CHECKING:
    from ops.example import Trained

MOST = 3
PER_MINUTE = 900  # 15 in a second for each node: the load below is well above it, its rest well below
LONG_SECONDS = 400


@pytest.fixture
def policy(stack: Live) -> Iterator[None]:
    """A fleet of one to three nodes that follows its load; afterwards as it was."""
    file = stack.checkout / f"Pulumi.{STACK}.yaml"
    kept = file.read_text()
    values = {"autoscaling": "true", "requestsPerMinute": str(PER_MINUTE), "maximum": str(MOST)}
    stack.configure({f"fleet.{name}": value for name, value in values.items()})
    stack.up()
    yield
    file.write_text(kept)
    stack.up()  # the policy goes: it would undo what the next one does
    stack.up("--refresh")
    stack.until_whole("serving")


def test_the_fleet_follows_its_load_and_no_request_fails(
    stack: Live, policy: None, example: "Trained", first: Deployed
) -> None:
    body, right = models.body(example.rows), {first.id: first.value}
    with Load(stack.url, body, right, clients=1, pause_seconds=0.5) as rest:
        with Load(stack.url, body, right) as load:
            until(lambda: len(stack.whole("serving")) == MOST, "load adds nodes, up to the maximum", LONG_SECONDS)
            assert stack.serving() == [first.id] * MOST, "new nodes serve the current deployment"
        most = stack.whole("serving")
        until(lambda: len(stack.whole("serving")) == 1, "its end takes them away, down to the minimum", LONG_SECONDS)
        (left,) = stack.whole("serving")
    assert load.failures == [], load
    assert rest.failures == [], rest
    for instance in most - {left}:
        until(partial(said_goodbye, stack, instance), f"{instance} has shipped its last lines")


def said_goodbye(stack: Live, instance: str) -> bool:
    """Whether a node that is gone has told the bucket how it ended."""
    units = {line.message for line in node_logs.read(stack.store, instance) if line.name == "systemd"}
    return any("Stopped" in message and "nginx" in message for message in units)
