"""The local stack through the ordinary `pulumi` command: made, brought up, read and destroyed.

The environment is this process's own (see `ops.environment.applied`), so what runs here is what a user's shell runs
after `. .slipway/env`.
"""

import json
import os
import re
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from localcloud import orphans
from localcloud.state import State
from ops.environment import STACK
from ops.errors import UserError
from ops.follow import follow
from ops.run import CommandError, run
from ops.steps import Step

# ` +  aws:ec2:Vpc slipway-local creating (0s)`: what the engine prints without a terminal, one line per event.
EVENT = re.compile(r"^ *[-+~@]+ +(?P<type>\w+:[\w:/.-]+) (?P<name>\S+) (?P<verb>\w+)(?P<rest>.*)$")
LISTENER = re.compile(r"(?P<start>https?://localhost:)(?P<port>\d+)")
FLAGS = ("--stack", STACK, "--yes", "--non-interactive", "--color", "never")
DESTROY_SECONDS = 300.0
ENDING_SECONDS = 75.0  # ten more than what the engine is given to end after an interrupt
ENDING_POLL_SECONDS = 0.5
UNUSABLE = "the stack's settings cannot be used"
CONSEQUENCE = "an unhandled error occurred: program exited"
MISMATCH = (
    "Pulumi.local.yaml's encryptionsalt and .slipway/passphrase do not belong together: "
    "restore the committed file (`git checkout Pulumi.local.yaml`) and run this again"
)


class Stack:
    """The stack `local` of this checkout. Its log of each operation is `.slipway/log/pulumi-<verb>.log`."""

    def __init__(self, state: State) -> None:
        self.state = state

    def log(self, verb: str) -> Path:
        return self.state.slipway / "log" / f"pulumi-{verb}.log"

    def select(self) -> None:
        """Makes the stack unless it is there, and selects it for the user's own `pulumi` commands."""
        self._pulumi("stack", "select", "--create", STACK)

    def up(self, step: Step) -> None:
        self._follow("up", ["--skip-preview"], step)

    def destroy(self, step: Step) -> None:
        self._follow("destroy", ["--skip-preview"], step, DESTROY_SECONDS)

    def outputs(self) -> dict[str, Any]:
        """The stack's exports, its addresses as this machine reaches them; empty before the first `up`."""
        outputs: dict[str, Any] = json.loads(self._pulumi("stack", "output", "--json", "--stack", STACK))
        running = self.state.read()
        return {name: published(value, running.published if running else {}) for name, value in outputs.items()}

    def interrupted(self) -> bool:
        """Whether an earlier operation was killed in the middle, so that what it was making is not in the state."""
        exported = json.loads(self._pulumi("stack", "export", "--stack", STACK))
        return bool((exported.get("deployment") or {}).get("pending_operations"))

    def unlock(self, say: Callable[[str], None]) -> None:
        """Removes what an operation left behind whose process is gone: its lock, its plugins.

        One that is at work gets a minute, for it may be the one that a killed `make up` had started, which then comes
        to an orderly end. Raises `UserError` when it goes on.
        """
        deadline = time.monotonic() + ENDING_SECONDS
        for file in self.state.pulumi.glob(".pulumi/locks/**/*.json"):
            if pid := engine_of(file):
                say(f"     waiting for pulumi (pid {pid}), which is at work on this stack")
            while pid := engine_of(file):
                if time.monotonic() > deadline:
                    raise UserError(f"pulumi (pid {pid}) is at work on this stack", "wait for it to end, or end it")
                time.sleep(ENDING_POLL_SECONDS)
            file.unlink(missing_ok=True)
        orphans.end(self.state)

    def _pulumi(self, *words: str) -> str:
        try:
            return run(["pulumi", *words, "--non-interactive"], cwd=self.state.checkout).stdout
        except CommandError as error:
            raise explained(error) from error

    def _follow(self, verb: str, flags: list[str], step: Step, timeout_seconds: float | None = None) -> None:
        step.log = self.log(verb)
        try:
            command = ["pulumi", verb, *FLAGS, *flags]
            watch = watcher(step.say)
            follow(command, watch, log=self.log(verb), cwd=self.state.checkout, timeout_seconds=timeout_seconds)
        except CommandError as error:
            told = explained(error)
            if told.message.startswith(UNUSABLE):
                step.log = None  # it has no more to say
            raise told from error


def engine_of(lock: Path) -> int:
    """The process that holds a lock of the stack; 0 when it is gone, or has let go of it."""
    try:
        pid = int(json.loads(lock.read_text()).get("pid", 0))
    except (FileNotFoundError, json.JSONDecodeError):
        return 0
    return pid if orphans.is_engine(pid) else 0


def published(value: Any, ports: Mapping[str, int]) -> Any:
    """An address of the balancer's with the port at which this machine really has that listener.

    They differ where another program, or another checkout's stack, had the port first: the program cannot know.
    """
    if not isinstance(value, str) or not (found := LISTENER.fullmatch(value)):
        return value
    return f"{found['start']}{ports.get(found['port'], found['port'])}"


def watcher(say: Callable[[str], None]) -> Callable[[str], None]:
    """Turns the engine's lines into one short line: how many are done, and what is under way."""
    done = 0

    def on_line(line: str) -> None:
        nonlocal done
        if not (event := EVENT.match(line)):
            return
        done += event["verb"].endswith("ed")
        kind = event["type"].rpartition(":")[2]
        say(f"{done} done; {kind} {event['name']} {event['verb']}{event['rest'].rstrip()}")

    return on_line


def explained(error: CommandError) -> UserError:
    """The engine's own diagnostics without its progress, and a way out where we know one."""
    text = error.result.stderr or error.result.stdout
    if "incorrect passphrase" in text:
        return UserError("wrong passphrase for the stack's secrets", MISMATCH)
    if "passphrase must be set" in text:
        return UserError("no passphrase for the stack's secrets", "use the stack's environment: `. .slipway/env`")
    reasons = [reason for reason in dict.fromkeys(errors(text)) if CONSEQUENCE not in reason]
    for reason in reasons:
        if reason.startswith(UNUSABLE):
            return UserError(reason, f"correct Pulumi.{STACK}.yaml, then run this again")
    told = "; ".join(reasons) or error.reason
    return UserError(f"{os.path.basename(error.argv[0])} {error.argv[1]} failed: {told}", error.hint)


def errors(text: str) -> Iterator[str]:
    """Each `error:` of the engine's output, with the lines that are indented below it."""
    found: list[str] = []
    depth = 0
    for line in text.splitlines():
        indent = len(line) - len(line.lstrip())
        if found and line.strip() and indent > depth:
            found.append("  " + line.strip())
            continue
        if found:
            yield "\n".join(found)
        found, depth = [], indent
        if line.strip().startswith("error:"):
            found = [line.strip().removeprefix("error:").strip()]
    if found:
        yield "\n".join(found)
