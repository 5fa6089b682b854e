"""The act of serving another deployment: fetch, start the idle slot, gate, switch, drain. And the ways back.

A deployment that has switched is provisional first, always: that is written down before the link moves, so that
whatever ends this process, the timer or the next verb finds what to finish. Confirming is a second, separate step.
"""

import subprocess
import time
from dataclasses import replace

from slipway_node import fetch, gate, links, prune, state
from slipway_node.cloud import Cloud, UnreachableError
from slipway_node.fetch import Manifest
from slipway_node.node import OTHER_SLOT, ActivationError, Node, log
from slipway_node.slots import CURRENT, PREVIOUS, Slots
from slipway_node.state import Placed, State

UNFINISHED_SECONDS = 60.0
"""After a crash between switch and confirmation of an activation without deadline, the pointer decides."""
DRAIN_SECONDS = 2.0
"""How long after the switch Nginx may still keep connections to the old slot (its keepalive_time and _timeout)."""


class Activation:
    def __init__(self, node: Node, cloud: Cloud) -> None:
        self.node = node
        self.cloud = cloud
        self.slots = Slots(node)

    def load(self) -> State:
        return state.load(self.node.state)

    def save(self, new: State) -> None:
        state.save(self.node.state, new)

    def activate(self, wanted: str, provisional_seconds: float | None = None, from_pointer: bool = False) -> None:
        """Serves the deployment `wanted`, or raises `ActivationError` and leaves what serves alone.

        A node's first deployment counts only if the pointer still names it when it is ready: while the node was
        starting, a rollout that does not know the node yet may have ended.
        """
        now = self.load()
        if now.provisional and now.provisional.deployment == wanted and self.serves(now.provisional):
            return self._again(now, now.provisional, provisional_seconds)
        if now.provisional:
            self._undo(now)
            now = self.load()
        if now.trial and not (now.trial.deployment == wanted and self.slots.active(now.trial.slot)):
            self.end_trial()
            now = self.load()
        if now.confirmed and now.confirmed.deployment == wanted and self.serves(now.confirmed):
            log("already", deployment=wanted)
            return self._tidy(now)
        started = time.monotonic()
        manifest = prune.with_room(self.node, lambda: fetch.deployment(self.node, self.cloud, wanted))
        slot = OTHER_SLOT[now.confirmed.slot] if now.confirmed else "a"
        self.candidate(slot, manifest, running=now.trial is not None)
        if from_pointer and now.confirmed is None and (moved := self.cloud.pointer()) != wanted:
            self.slots.stop(slot)
            raise UnreachableError(f"deployment {wanted}", f"the pointer moved to {moved} meanwhile")
        self._switch(now, slot, manifest, provisional_seconds)
        log("switched", deployment=wanted, slot=slot, seconds=round(time.monotonic() - started, 1))
        if provisional_seconds is None:
            self.confirm()
        return None

    def confirm(self, keep: int | None = None) -> None:
        """What is provisional is kept; `keep` is how many deployments' files stay from now on."""
        now = self.load()
        if now.provisional is None:
            raise ActivationError("nothing", "no deployment is provisional")
        if not self.serves(now.provisional):
            raise ActivationError(
                "switch", f"deployment {now.provisional.deployment} is provisional and does not serve"
            )
        # What is confirmed starts after a power cut too: its files are on the disk before its name is.
        subprocess.run(["sync", "--file-system", self.node.releases, self.node.state.parent], check=True)
        now = replace(now, keep=keep or now.keep).with_confirmed(now.provisional)
        self.save(now)
        log("confirmed", deployment=now.history[0])
        self._tidy(now)

    def revert(self) -> None:
        now = self.load()
        if now.provisional is None and now.trial:
            return self.end_trial()
        if now.provisional is None or now.confirmed is None:
            raise ActivationError("nothing", "no provisional deployment with one before it")
        return self._undo(now)

    def end_trial(self) -> None:
        """What is confirmed serves all again, and the candidate beside it ends when it has answered what it took."""
        now = self.load()
        if now.trial is None:
            raise ActivationError("nothing", "no candidate is on trial here")
        links.take(self.node)
        self.save(replace(now, trial=None))
        log("trial-ended", deployment=now.trial.deployment)
        if self.slots.active(now.trial.slot):
            time.sleep(DRAIN_SECONDS)
        self._tidy(replace(now, trial=None))

    def resume(self) -> None:
        """After a reboot, without network: the confirmed deployment serves again, and nothing else is kept."""
        now = self.load()
        if now.provisional:
            log(
                "forgotten", deployment=now.provisional.deployment, reason="the node went down while it was provisional"
            )
        if now.trial:
            log("forgotten", deployment=now.trial.deployment, reason="the node went down while it was on trial")
        links.take(self.node)
        if now.provisional or now.trial:
            now = replace(now, provisional=None, trial=None)
            self.save(now)
        if now.confirmed:
            self.slots.link(CURRENT, now.confirmed.slot)
            self.slots.start(now.confirmed.slot)
            log("resumed", deployment=now.confirmed.deployment, slot=now.confirmed.slot)
        self._prune(now)

    def serves(self, placed: Placed) -> bool:
        return self.slots.linked(CURRENT) == placed.slot and self.slots.active(placed.slot)

    def _again(self, now: State, placed: Placed, provisional_seconds: float | None) -> None:
        """The same deployment once more: a new deadline, or its confirmation."""
        if provisional_seconds is None:
            return self.confirm()
        renewed = Placed(placed.deployment, placed.slot, time.time() + provisional_seconds)
        self.save(replace(now, provisional=renewed))
        self.slots.settle_later(True)
        log("already", deployment=placed.deployment, provisional_seconds=provisional_seconds)
        return None

    def candidate(self, slot: str, manifest: Manifest, *, running: bool = False) -> None:
        """The idle slot runs the deployment and has passed the gate; if not, it is stopped and its log shown."""
        since = time.time()
        if not running:
            self.slots.stop(slot)
            self.slots.fill(slot, manifest)
            self.slots.start(slot)
        try:
            gate.wait_ready(self.node.socket(slot), lambda: self.slots.failed(slot))
            gate.check_models(self.node, self.node.socket(slot), manifest)
        except ActivationError as failure:
            if running:
                self.end_trial()
            self.slots.stop(slot)
            failure.fields["deployment"] = manifest.id
            failure.fields["log"] = self.slots.last_lines(slot, since)
            raise
        log("gated", deployment=manifest.id, slot=slot, models=len(manifest.models))

    def _switch(self, now: State, slot: str, manifest: Manifest, provisional_seconds: float | None) -> None:
        deadline = time.time() + (UNFINISHED_SECONDS if provisional_seconds is None else provisional_seconds)
        now = replace(now, provisional=Placed(manifest.id, slot, deadline), trial=None)
        self.save(now)
        self.slots.settle_later(True)
        if now.confirmed:
            self.slots.link(PREVIOUS, now.confirmed.slot)
        self.slots.link(CURRENT, slot)
        links.take(self.node)
        try:
            gate.wait_seen(self.node, manifest.id)
        except ActivationError:
            self._undo(now)
            raise

    def _undo(self, now: State) -> None:
        """Back to the confirmed deployment, which still runs unless it died; with none before it, to nothing."""
        dropped = now.provisional
        assert dropped is not None
        if now.confirmed:
            if not self.slots.active(now.confirmed.slot):
                self.slots.start(now.confirmed.slot)
                slot = now.confirmed.slot
                gate.wait_ready(self.node.socket(slot), lambda: self.slots.failed(slot))
            self.slots.link(CURRENT, now.confirmed.slot)
        else:
            self.slots.unlink(CURRENT)
        now = replace(now, provisional=None)
        self.save(now)
        log("reverted", deployment=dropped.deployment, to=now.confirmed.deployment if now.confirmed else None)
        self._tidy(now)

    def _tidy(self, now: State) -> None:
        """What no verb needs any more: the timer, the fallback, the idle slot and old files. Safe to repeat."""
        self.slots.settle_later(False)
        links.take(self.node)
        idle = OTHER_SLOT[now.confirmed.slot] if now.confirmed else None
        self.slots.unlink(PREVIOUS)
        if idle and self.slots.active(idle):
            time.sleep(max(0.0, DRAIN_SECONDS - self.slots.age(CURRENT)))
        for slot in [idle] if idle else OTHER_SLOT:
            self.slots.stop(slot)
        self._prune(now)

    def _prune(self, now: State) -> None:
        prune.prune(self.node, now.history, now.confirmed.deployment if now.confirmed else None)
