"""The Compose stack on a real engine, as a user brings it up: built, served, scaled, killed, delivered to, and up again.

One stack for all of it, in the order of the file. The load runs where the balancer's port is published, and forgives
nothing: a connection that is reset is a failed request.
"""

import json
import os
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from compose import prepare
from localcloud.image import Image
from ops.run import CommandError, Result
from tests.machines import models
from tests.machines.engine import Engine, engine
from tests.machines.load import Load
from tests.waiting import until

if TYPE_CHECKING:
    from ops.example import Trained

CHECKOUT = Path(__file__).resolve().parents[2]
BASE = "slipway-test-base"
URL = "http://127.0.0.1:8080"
MLFLOW = "http://127.0.0.1:5000"
SECONDS = 240
SETTINGS = {"SLIPWAY_WORKERS": "1", "COMPOSE_PROJECT_NAME": "slipway", "COMPOSE_HTTP_TIMEOUT": "180"}

pytestmark = pytest.mark.timeout(1200)


@dataclass
class Stack:
    engine: Engine
    deployed: dict[str, float] = field(default_factory=dict)
    """What each deployment must answer to the first row."""

    def compose(self, *words: str, check: bool = True) -> Result:
        base = f"{BASE}:{Image().digest}"
        env = {**SETTINGS, "SLIPWAY_BASE_IMAGE": base}
        return self.engine.run(
            "docker-compose", *words, cwd=CHECKOUT, env=env, check=check, seconds=SECONDS
        )

    def servers(self) -> list[str]:
        return self.compose("ps", "--quiet", "server").stdout.split()

    def inspect(self, container: str) -> dict[str, Any]:
        found: list[dict[str, Any]] = json.loads(self.engine.run("docker", "inspect", container).stdout)
        return found[0]

    def service(self, name: str) -> dict[str, Any]:
        return self.inspect(self.compose("ps", "--quiet", name).stdout.split()[0])

    def scale(self, count: int) -> None:
        self.compose("up", "--detach", "--no-build", "--scale", f"server={count}")
        until(lambda: len(self.ready()) == count, f"{count} servers in the balancer", SECONDS)

    def ready(self) -> set[str]:
        """The servers that have answered lately, by the balancer's own way of asking each in turn."""
        return {found for _ in range(12) if (found := self.answerer())}

    def answerer(self) -> str | None:
        found = ask("/version")
        return f"{found[1]['worker']}" if found[0] == 200 and found[1] else None

    def deliver(self, *words: str, check: bool = True) -> Result:
        return self.compose("run", "--rm", "deliver", *words, check=check)

    def exec(self, service: str, *words: str) -> Result:
        return self.compose("exec", "-T", service, *words, check=False)


def ask(path: str, body: bytes | None = None, url: str = URL) -> tuple[int, Any]:
    request = urllib.request.Request(f"{url}{path}", body, {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            text = answer.read()
            return answer.status, json.loads(text) if text.strip().startswith(b"{") else text
    except urllib.error.HTTPError as error:
        return error.code, None
    except OSError:
        return 0, None
