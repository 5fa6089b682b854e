"""What HAProxy must be told so that its servers are the target group's targets, and what it tells of their health.

Pure functions of the API's records and HAProxy's own rows. A new server comes with weight 0 and marked down, and is
let in by its first good check, as an ALB does it; only then do the thresholds count.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from localcloud.balancer.config import server_options, source_of
from localcloud.balancer.names import everyone, healthy, server_name
from localcloud.balancer.runtime import Row
from localcloud.model import LoadBalancer, Target, TargetGroup, TargetHealth

Verdict = tuple[TargetHealth, str]

TIMEOUTS = ("L4TOUT", "L6TOUT", "L7TOUT")


@dataclass
class Watch:
    """What is remembered of a target from turn to turn: when it was first seen, whether it passed a check."""

    since: float
    admitted: bool = False


@dataclass
class Group:
    """One target group in one HAProxy at one moment."""

    balancer: LoadBalancer
    record: TargetGroup
    rows: Mapping[tuple[str, str], Row]
    watches: dict[str, Watch]
    now: float
    wall: datetime
    commands: list[str] = field(default_factory=list)
    admitting: set[str] = field(default_factory=set)

    def plan(self) -> list[str]:
        """The commands of this turn. Also admits targets that have just passed their first check."""
        targets = self.record.targets
        wanted = {server_name(each): each for each in targets if each.address and each.draining_until is None}
        for name, target in wanted.items():
            self._keep(name, target)
        for backend in (healthy(self.record), everyone(self.record)):
            present = [row for row in self.rows.values() if row.backend == backend and row.server not in wanted]
            for row in present:
                self._leave(row)
        return self.commands

    def _keep(self, name: str, target: Target) -> None:
        backend = healthy(self.record)
        watch = self.watches.setdefault(name, Watch(self.now))
        row = self.rows.get((backend, name))
        if row is not None and row.address != f"{target.address}:{target.port}":
            self.watches[name] = Watch(self.now)
            self.commands += removal(backend, name) + removal(everyone(self.record), name)
        elif row is not None and row.status in ("DRAIN", "MAINT"):  # registered again before its drain was over
            self.commands += removal(backend, name)
        elif row is None:
            self.commands += self._addition(name, target, watch)
        elif not watch.admitted and row.check.startswith("L7OK"):
            watch.admitted = True
            self.admitting.add(name)
            self.commands += [f"set server {backend}/{name} health up", f"set server {backend}/{name} weight 1"]
        if row is not None and self.verdict(target)[0] in ("healthy", "unhealthy"):
            self._let_in_all(name, target)

    def _addition(self, name: str, target: Target, watch: Watch) -> list[str]:
        watch.admitted = False
        server = f"{healthy(self.record)}/{name}"
        options = server_options(self.record, source_of(self.balancer, target), checked=True)
        return [
            f"add server {server} {target.address}:{target.port} weight 0 {options}",
            f"enable health {server}",
            f"enable server {server}",
            f"set server {server} health down",
        ]

    def _let_in_all(self, name: str, target: Target) -> None:
        backend = everyone(self.record)
        if (backend, name) not in self.rows:
            options = server_options(self.record, source_of(self.balancer, target), checked=False)
            self.commands.append(f"add server {backend}/{name} {target.address}:{target.port} {options}")
            self.commands.append(f"enable server {backend}/{name}")

    def _leave(self, row: Row) -> None:
        """Drains first; what still runs when the deregistration delay is over, or the target has gone, is cut off."""
        target = next((each for each in self.record.targets if server_name(each) == row.server), None)
        until = target.draining_until if target else None
        if row.status not in ("DRAIN", "MAINT"):
            self.commands.append(f"set server {row.backend}/{row.server} state drain")
        elif not (until and until > self.wall and row.sessions):
            self.commands += removal(row.backend, row.server)

    def verdict(self, target: Target) -> Verdict:
        """A target's health and reason in the API's words."""
        name = server_name(target)
        row = self.rows.get((healthy(self.record), name))
        if target.draining_until is not None:
            gone = not any(key[1] == name for key in self.rows)
            return ("unused", "Target.NotRegistered") if gone else ("draining", "Target.DeregistrationInProgress")
        if target.address is None:
            return "unused", "Target.InvalidState"
        watch = self.watches.get(name)
        if row is None or watch is None:
            return "initial", "Elb.RegistrationInProgress"
        if not watch.admitted and self._first_checks(row, watch):
            return "initial", "Elb.InitialHealthChecking"
        if name in self.admitting or (watch.admitted and row.status.startswith("UP")):
            return "healthy", ""
        return "unhealthy", reason(row)

    def _first_checks(self, row: Row, watch: Watch) -> bool:
        """Whether a target that has passed no check yet may still be called new."""
        check = self.record.health_check
        allowed = check.unhealthy_threshold * (check.interval_seconds + check.timeout_seconds)
        return row.check in ("", "INI", "L7OK") or self.now - watch.since < allowed


def reason(row: Row) -> str:
    if row.check in TIMEOUTS:
        return "Target.Timeout"
    return "Target.ResponseCodeMismatch" if row.check == "L7STS" else "Target.FailedHealthChecks"


def removal(backend: str, name: str) -> list[str]:
    """Ends a server and what it still does. `del server` may have to wait for its last connection to close."""
    server = f"{backend}/{name}"
    return [f"set server {server} state maint", f"shutdown sessions server {server}", f"del server {server}"]


def by_name(rows: Sequence[Row]) -> dict[tuple[str, str], Row]:
    return {(row.backend, row.server): row for row in rows}
