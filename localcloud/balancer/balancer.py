"""One load balancer over time: its sockets, its HAProxy, and the hand-over to a successor.

Targets, their health and who may connect change through the runtime API. Listeners, rules, certificates and health
checks are HAProxy's configuration: for those a second HAProxy takes the same sockets over, with the healthy targets
known from its first moment. The first asks its kept connections to close, and within a minute ends; until then they
follow the old rules and the targets of that moment. HAProxy is never reloaded in place.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from ipaddress import IPv4Address, IPv4Interface
from pathlib import Path

from localcloud.balancer import config, names
from localcloud.balancer.counting import FRONTENDS, Counting
from localcloud.balancer.haproxy import Haproxy
from localcloud.balancer.publish import Publisher
from localcloud.balancer.runtime import Row
from localcloud.balancer.targets import Group, Watch, by_name
from localcloud.image import Image
from localcloud.model import LoadBalancer, Target, TargetGroup, World
from localcloud.network import Network
from ops.errors import UserError


class Balancer:
    def __init__(self, folder: Path, log: Path, world: World, network: Network, image: Image) -> None:
        self.publisher = Publisher()
        self._folder, self._log = folder, log
        self._world, self._network, self._image = world, network, image
        self._generation = 0
        self._shape = ""
        self._refused = ""
        self._current: Haproxy | None = None
        self._next: Haproxy | None = None
        self._retired: list[Haproxy] = []
        self._watches: dict[str, dict[str, Watch]] = {}
        self._healthy: dict[str, set[str]] = {}
        self._addresses: set[IPv4Address] = set()
        self._counted = Counting()

    def reconcile(
        self, record: LoadBalancer, groups: Mapping[str, TargetGroup], sources: dict[int, set[str]]
    ) -> list[str]:
        """One turn. `sources` are the networks that may connect, by listener port. Returns HAProxy's complaints."""
        self._stand(record)
        self.publisher.keep({each.port for each in record.listeners})
        allowed = {names.sources_file(each): sources[each.port] for each in record.listeners}
        complaints = self._serve(record, groups, allowed)
        if self._current is None:
            return complaints
        complaints += self._current.allow(allowed)
        servers, counters = self._current.runtime.look()
        rows = by_name(servers)
        used = config.used_groups(record, groups)
        for group in used:
            complaints += self._follow(self._current, record, group, rows)
        self._count(record, used, self._counted.since(self._current.folder.name, counters))
        # One that is about to be replaced need not know a new target group.
        return [] if self._next else complaints

    def _stand(self, record: LoadBalancer) -> None:
        """Puts the balancer's own addresses on the bridge, once each."""
        for address in set(record.addresses) - self._addresses:
            self._network.add_address(IPv4Interface(address))
            self._addresses.add(address)

    def _serve(
        self, record: LoadBalancer, groups: Mapping[str, TargetGroup], allowed: dict[str, set[str]]
    ) -> list[str]:
        """Starts HAProxy when there is none or its configuration has changed, and hands over when it is ready."""
        self._bury()
        if self._next and self._next.answers():
            if self._current:
                self._current.retire()
                self._retired.append(self._current)
            self._current, self._next = self._next, None
        if not record.listeners and self._current:
            self._current.stop()
            self._current, self._shape = None, ""
        if not record.listeners or self._next:
            return []
        certificates = {arn: self._bundle(arn) for each in record.listeners for arn in each.certificate_arns}
        descriptors = self.publisher.descriptors()
        shape = config.render(record, groups, descriptors, certificates).digest
        if shape == self._refused:
            return [f"HAProxy does not take its configuration: see {self._log}"]
        if shape == self._shape and self._current:
            return []
        self._generation += 1
        successor = Haproxy(self._folder / str(self._generation))
        warm = {arn: self._warm(group) for arn, group in groups.items()}
        admin = successor.admin.fileno()
        files = config.render(record, groups, descriptors, certificates, admin=admin, warm=warm)
        words = self._image.command(successor.argv, binds={successor.folder: names.FOLDER})
        successor.write(files, allowed)
        successor.start(words, self.publisher.sockets.values(), self._network.netns, self._log)
        self._next, self._shape = successor, shape
        return []

    def _bury(self) -> None:
        """Forgets what has ended: predecessors, and an HAProxy that died, for which another is started this turn."""
        for gone in [each for each in self._retired if not each.alive]:
            gone.stop()
            self._retired.remove(gone)
        if self._current and not self._current.alive:
            self._current.stop()
            self._current = None
        if self._next and not self._next.alive:
            self._refused = self._shape if self._next.refused else ""
            self._next.stop()
            self._next, self._shape = None, ""

    def _bundle(self, arn: str) -> str:
        found = self._world.certificate(arn)
        if found is None:
            raise UserError(f"certificate {arn} has no key here", "import one: a listener needs it to speak HTTPS")
        certificate, key, chain = found
        return "\n".join(part.strip() for part in (certificate, chain, key)) + "\n"

    def _warm(self, group: TargetGroup) -> Sequence[Target]:
        known = self._healthy.get(group.arn, set())
        present = (each for each in group.targets if each.address and each.draining_until is None)
        return [each for each in present if names.server_name(each) in known]

    def _follow(
        self,
        haproxy: Haproxy,
        record: LoadBalancer,
        group: TargetGroup,
        rows: Mapping[tuple[str, str], Row],
    ) -> list[str]:
        """Makes HAProxy's servers the group's targets, and tells the API how they are."""
        watches = self._watches.setdefault(group.arn, {})
        known = {names.server_name(each) for each in group.targets if each.draining_until is None}
        for name in watches.keys() - known:
            del watches[name]
        turn = Group(record, group, rows, watches, time.monotonic(), datetime.now(UTC))
        complaints = haproxy.runtime.tell(turn.plan())
        verdicts = {names.server_name(each): (each, *turn.verdict(each)) for each in group.targets}
        self._healthy[group.arn] = {name for name, (_, health, _) in verdicts.items() if health == "healthy"}
        for target, health, reason in verdicts.values():
            self._world.set_target_health(group.arn, target, health, reason)
        return complaints

    def _count(self, record: LoadBalancer, groups: Sequence[TargetGroup], new: Mapping[str, tuple[int, int]]) -> None:
        """Tells the meter what has come since the last turn; what no target answered, the balancer did."""
        own = new.get(FRONTENDS, (0, 0))[1]
        for group in groups:
            requests, errors = new.get(group.name, (0, 0))
            own -= errors
            present = {names.server_name(each) for each in group.targets if each.draining_until is None}
            healthy = len(present & self._healthy.get(group.arn, set()))
            self._world.count_requests(record.arn, group.arn, requests, errors, (healthy, len(present) - healthy))
        if own > 0:
            self._world.count_errors(record.arn, own)

    def stop(self) -> None:
        for each in (*self._retired, self._current, self._next):
            if each:
                each.stop()
        self._retired, self._current, self._next, self._shape = [], None, None, ""
        self.publisher.keep(set())
        while self._addresses:
            self._network.remove_address(IPv4Interface(self._addresses.pop()))


def aware(target: Target) -> Target:
    """A target whose drain ends at a time with a zone."""
    until = target.draining_until
    return replace(target, draining_until=until.replace(tzinfo=UTC)) if until and until.tzinfo is None else target
