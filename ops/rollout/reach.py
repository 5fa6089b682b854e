"""`slipway-activate` on every node that has it at once, by plain ssh: for what must work when no playbook runs.

Reaches nodes as the inventory does: the same addresses, the same pinned host keys.
"""

import json
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import boto3

from contract import ACTIVATE_EXIT, PATHS
from ops import hostkeys, remote
from ops.errors import UserError
from ops.inventory import Access
from ops.nodes import ROLLED, Node, nodes
from ops.run import CommandError, Result, run

AT_ONCE = 10
"""An EC2 Instance Connect Endpoint admits 20 connections, and a playbook may have ten."""
SECONDS = 90.0
PAUSE_SECONDS = 1.0
UNREACHED = 255
"""ssh's own exit status, and here also that of a node that has shown no host key yet."""
SETTLED = (ACTIVATE_EXIT.ok, ACTIVATE_EXIT.nothing)

Answers = Mapping[str, Result]
"""By the name of the node."""


@dataclass(frozen=True)
class Fleet:
    """The serving and worker nodes of a stack, as they are when they are asked for."""

    access: Access

    def nodes(self) -> list[Node]:
        """Those that run or are about to."""
        return [node for node in nodes(self.access.stack) if node.role in ROLLED and node.state in RUNNING]

    def started(self) -> list[Node]:
        """Those that run and have shown their host key. One that has not yet boots into the pointer by itself."""
        return [node for node in self.nodes() if node.state == "running" and self._is_pinned(node)]

    def everywhere(self, *words: str, among: Sequence[Node] | None = None, each_seconds: float = SECONDS) -> Answers:
        """What `slipway-activate words…` says on each node, all at once. Never raises for a node that fails."""
        asked = self.nodes() if among is None else list(among)
        with ThreadPoolExecutor(AT_ONCE) as pool:
            answers = pool.map(lambda node: self._on(node, words, each_seconds), asked)
            return dict(zip((node.name for node in asked), answers, strict=True))

    def patiently(
        self,
        *words: str,
        among: Sequence[Node] | None = None,
        seconds: float = SECONDS,
        each_seconds: float = SECONDS,
        turn: Callable[[], object] = lambda: None,
    ) -> Answers:
        """The same, again on those nodes where another activation is under way, until that has ended."""
        ending = time.monotonic() + seconds
        answers = dict(self.everywhere(*words, among=among, each_seconds=each_seconds))
        while busy := [name for name, answer in answers.items() if answer.returncode == ACTIVATE_EXIT.busy]:
            if time.monotonic() > ending:
                break
            turn()
            time.sleep(PAUSE_SECONDS)
            again = [node for node in self.nodes() if node.name in busy]
            answers |= self.everywhere(*words, among=again, each_seconds=each_seconds)
        return answers

    def statuses(self) -> dict[str, dict[str, Any] | None]:
        """What each node says of itself; None for one that does not answer."""
        return {name: status(answer) for name, answer in self.everywhere("status", "--json").items()}

    def _on(self, node: Node, words: Sequence[str], seconds: float) -> Result:
        try:
            if not self._is_pinned(node):
                return Result("", f"{node.name} has shown no host key yet", UNREACHED)
            argv = remote.command(node, self.access, [f"{PATHS.bin}/slipway-activate", *words])
            return run(argv, check=False, timeout_seconds=seconds)
        except CommandError as error:
            return error.result
        except UserError as error:
            return Result("", error.message, UNREACHED)

    def _is_pinned(self, node: Node) -> bool:
        return hostkeys.known(self.access.known_hosts, node.id, lambda: boto3.client("ec2"))


RUNNING = ("pending", "running")


def current() -> Fleet:
    """The fleet of the stack that the environment names."""
    return Fleet(Access.from_environment())


def status(answer: Result) -> dict[str, Any] | None:
    try:
        found = json.loads(answer.stdout)
    except ValueError:
        return None
    return found if answer.ok and isinstance(found, dict) else None


def unsettled(answers: Answers, settled: Sequence[int] = SETTLED) -> list[str]:
    """The nodes that did not do as told, by their exit status, each with its reason."""
    return [f"{name}: {reason(answer)}" for name, answer in answers.items() if answer.returncode not in settled]


def reason(answer: Result) -> str:
    """The last word of slipway-activate, or of ssh."""
    lines = answer.stderr.strip().splitlines() or [f"exit status {answer.returncode}"]
    try:
        return str(json.loads(lines[-1])["message"])
    except (ValueError, KeyError, TypeError):
        return lines[-1]
