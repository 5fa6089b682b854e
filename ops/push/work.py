"""What a push does once it is its turn: the same commands that a person would give, with their output passed on."""

import json
import os
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ops import store
from ops.errors import UserError
from ops.node_python import on_a_node
from ops.orders.box import Box
from ops.orders.giver import Giver
from ops.orders.order import Order, line
from ops.push import pushes
from ops.push.asked import Asked, Release, Train
from ops.push.pushes import REFUSED, Push
from ops.push.repository import SHORT, Repository
from ops.training import address, outline
from ops.training.judge import Decision

PROGRAM = "slipway"


class ToldError(UserError):
    """Of a command that has told the pusher itself."""


@dataclass(frozen=True)
class Work:
    """`tree` holds the pushed files, `say` prints a line for the pusher."""

    repository: Repository
    push: Push
    tree: Path
    say: Callable[[str], None]

    def do(self, asked: Asked) -> str:
        """What is live then. Raises `UserError` when the fleet did not take it."""
        if isinstance(asked, Train):
            return self._train(asked)
        return self._ordered(asked) if on_a_node() else self._release(asked)

    def _train(self, asked: Train) -> str:
        found = json.loads(self._slipway(*training(asked, self._run(), self.tree), env=self._pipelines(asked)))
        told = f"{found['model']}: {found['why']}"
        if found["decision"] == Decision.EQUAL:
            return told
        if not Decision(found["decision"]).promotes:
            raise UserError(f"the model is not taken: {told}", "a better one is taken; `slipway train` tries by hand")
        if found["deployment"]:
            return told
        self.say("no alias is followed here: rolling it out")
        try:
            self._slipway("promote", f"{found['model']}/{found['version']}", "--reason", self._reason)
        except UserError:
            give_back(found)
            raise
        return f"{found['model']}/{found['version']} is served: {found['why']}"

    def _release(self, asked: Release) -> str:
        digest = self._slipway(*building(asked, self.tree)).split()[-1]
        served = json.loads(self._slipway("deployment", "show"))
        if digest == served["release"] and not asked.models:
            return f"release {digest[:12]} is served already, in deployment {served['id']}"
        self._slipway("promote", *asked.models, "--release", digest, "--reason", self._reason)
        return f"release {digest[:12]} is served"

    def _ordered(self, asked: Release) -> str:
        """By the tracking node, which has the fleet's key."""
        wanted = Order(
            commit=self.push.new,
            subject=line(self.repository.subject(self.push.new)),
            by=line(self.push.by),
            **vars(asked),
        )
        return Giver(Box(store.current()), self.say).carried_out(wanted, self.tree)

    @property
    def _reason(self) -> str:
        return f"push of {self.push.new[:SHORT]}: {self.repository.subject(self.push.new)}"

    def _run(self) -> str:
        """The training's id: the same for a push that was broken off, so that it goes on; a new one after a refusal."""
        refused = [
            each
            for each in pushes.newest_first(self.repository)
            if each.new == self.push.new and each.outcome == REFUSED
        ]
        return f"push-{self.push.new[:SHORT]}{f'-{len(refused) + 1}' if refused else ''}"

    def _pipelines(self, asked: Train) -> Mapping[str, str]:
        return {outline.VARIABLE: str((self.tree / asked.pipeline).parent)}

    def _slipway(self, *words: str, env: Mapping[str, str] | None = None) -> str:
        """What it prints, its progress passed on. Raises `UserError` with the last of what it said."""
        environment = {**os.environ, **(env or {}), "SLIPWAY_BY": self.push.by, "PYTHONUNBUFFERED": "1"}
        last = ""
        with subprocess.Popen(
            [self.repository.program, *words],
            cwd=self.tree,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment,
            text=True,
            errors="replace",
        ) as process:
            assert process.stdout
            assert process.stderr
            for line in process.stderr:
                self.say(line.rstrip("\n"))
                last = reason(line) or last
            output = process.stdout.read()
        if process.returncode:
            raise ToldError(last or f"`slipway {words[0]}` ended with {process.returncode}")
        return output


def training(asked: Train, run: str, tree: Path) -> list[str]:
    """A file's path is the tree's own."""
    data = asked.data
    if data and not address.is_address(data):
        data = str(tree / data)
    return ["train", asked.name, "--run", run, "--json", *(["--data", data] if data else [])]


def building(asked: Release, tree: Path) -> list[str]:
    """From what is served, whose packages stay, unless others are wanted: these are resolved in a checkout."""
    modules = [word for each in asked.modules for word in ("--module", str(tree / each))]
    packages = [word for each in asked.requirements for word in ("--require", each)]
    models = [word for each in asked.models for word in ("--for", each)]
    return ["release", *modules, *([*packages, *models] if packages else ["--served"])]


def reason(line: str) -> str:
    """The message of a command's own error: `slipway train: validate: the table is empty`."""
    program, separator, told = line.strip().partition(": ")
    return told if separator and program.split(" ")[0] == PROGRAM and len(program.split()) <= 2 else ""


def give_back(found: Mapping[str, Any]) -> None:
    """The alias to the champion before this training: it says what is served."""
    from mlflow import MlflowClient

    from ops.rollout import settings

    client, alias = MlflowClient(), settings.current().alias
    if found["champion"]:
        client.set_registered_model_alias(found["model"], alias, found["champion"])
    else:
        client.delete_registered_model_alias(found["model"], alias)
