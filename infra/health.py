"""Makes `pulumi up` mean "healthy": waits for the instance refresh and for the balancer's targets.

The provider waits for no refresh, and its own capacity wait knows no reason. The program waits where it exports a
group's name, at every `up`, and not in an `after` hook: the engine starts nothing else while such a hook runs, and the
other group would wait for this one's health.
"""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import pulumi
from botocore.exceptions import BotoCoreError, ClientError

from infra.announced import Announced
from infra.cloud import Aws, Cloud, Refresh, Snapshot

POLL_SECONDS = 2.0
FAILED_REFRESH = {"Failed", "Cancelled", "RollbackFailed", "RollbackSuccessful"}
UNDER_WAY = {"Pending", "InProgress", "Cancelling", "RollbackInProgress"}
FAILED_LAUNCHES = 3
"""Not one: IAM is eventually consistent, and the first launch may not know its instance profile yet."""


class Unhealthy(pulumi.RunError):
    """Why a group has not become healthy. A RunError is shown without a traceback."""


@dataclass
class HealthGate:
    """The health of one group of nodes. `history` holds the refreshes and failures from before this `up`.

    `changed` is whether this `up` creates or updates the group.
    """

    label: str
    timeout_seconds: int
    cloud: Callable[[], Cloud]
    changed: bool = False
    history: set[str] = field(default_factory=set)
    said: str = field(default="", repr=False)

    @classmethod
    def on(cls, label: str, region: str, timeout_seconds: int) -> "HealthGate":
        return cls(label, timeout_seconds, lambda: Aws.of(region))

    @classmethod
    def announced(cls, label: str, region: str, timeout_seconds: int, parameter: str) -> "HealthGate":
        """Of a node that no balancer asks: it writes its address to the parameter when it is ready."""
        return cls(label, timeout_seconds, lambda: Announced.of(region, parameter))

    def hooks(self) -> pulumi.ResourceHookBinding:
        """What there was before a change must be noted before it: when it returns, its refresh is under way."""
        before = pulumi.ResourceHook(f"{self.label}-refreshes", self._before)
        return pulumi.ResourceHookBinding(before_create=[before], before_update=[before])

    def confirm(self, group: pulumi.Output[str]) -> pulumi.Output[str]:
        """The group's name, once all its nodes are healthy; in a preview the name alone."""
        return group if pulumi.runtime.is_dry_run() else group.apply(self._confirmed)

    async def _confirmed(self, group: str) -> str:
        if not self.changed:
            await asyncio.to_thread(self._remember, group)
        await asyncio.to_thread(self.wait, group)
        return group

    async def _before(self, args: pulumi.ResourceHookArgs) -> None:
        self.changed = True
        if args.old_outputs:
            await asyncio.to_thread(self._remember, str(args.old_outputs["name"]))

    def _remember(self, group: str) -> None:
        before = self.cloud().snapshot(group)
        ended = before.refresh and before.refresh.status not in UNDER_WAY
        self.history |= set(before.failures) | ({before.refresh.id} if before.refresh and ended else set())

    def wait(self, group: str) -> None:
        """Returns when as many nodes as wanted are healthy and no refresh is under way; else raises `Unhealthy`."""
        cloud, started = self.cloud(), time.monotonic()
        while not self._settled(snapshot := cloud.snapshot(group)):
            waited = time.monotonic() - started
            if reason := self._hopeless(snapshot, waited):
                raise Unhealthy(explain(self.label, reason, snapshot, cloud))
            self._say(progress(snapshot))
            time.sleep(POLL_SECONDS)
        self._say(f"{len(snapshot.healthy)} of {snapshot.desired} healthy")

    def _settled(self, snapshot: Snapshot) -> bool:
        refresh = self._news(snapshot)
        everyone = len(snapshot.healthy) >= snapshot.desired and snapshot.healthy == snapshot.active
        return everyone and (refresh is None or refresh.status == "Successful")

    def _news(self, snapshot: Snapshot) -> Refresh | None:
        return snapshot.refresh if snapshot.refresh and snapshot.refresh.id not in self.history else None

    def _hopeless(self, snapshot: Snapshot, waited: float) -> str:
        refresh = self._news(snapshot)
        if refresh and refresh.status in FAILED_REFRESH:
            return f"the instance refresh ended as {refresh.status}: {refresh.reason}"
        if len(set(snapshot.failures) - self.history) >= FAILED_LAUNCHES:
            return "its instances cannot be launched"
        return f"it took more than {self.timeout_seconds} seconds" if waited > self.timeout_seconds else ""

    def _say(self, what: str) -> None:
        if what != self.said:
            self.said = what
            pulumi.log.info(f"{self.label}: {what}")


def progress(snapshot: Snapshot) -> str:
    parts = [f"{len(snapshot.healthy)} of {snapshot.desired} healthy"]
    if snapshot.refresh and snapshot.refresh.status in UNDER_WAY:
        parts.append(f"instance refresh {snapshot.refresh.percent} %")
    for node, state in sorted(snapshot.members.items()):
        health, reason = snapshot.targets.get(node, ("not registered", ""))
        if health != "healthy" or state != "InService":
            parts.append(f"{node} {state}, {health}{f' ({reason})' if reason else ''}")
    return "; ".join(parts)


def explain(label: str, reason: str, snapshot: Snapshot, cloud: Cloud) -> str:
    """The reason, the state of every node, and the end of one unhealthy node's console."""
    lines = [f"{label} is not healthy: {reason}", f"  {progress(snapshot)}"]
    lines += [f"  {failure}" for failure in snapshot.failures.values()]
    suspects = sorted(set(snapshot.active) - set(snapshot.healthy)) or snapshot.active
    for node in suspects[:1]:
        try:
            tail = cloud.console_tail(node)
        except (BotoCoreError, ClientError) as error:
            tail = f"(no console output: {error})"
        lines += [f"  the end of {node}'s console:", *(f"    {line}" for line in tail.splitlines())]
    return "\n".join(lines)
