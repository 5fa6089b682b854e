"""Keeps a balancer for each load balancer of the API, and says which ports they are published at."""

import shutil
from dataclasses import replace

from localcloud.balancer.balancer import Balancer, aware
from localcloud.image import Image
from localcloud.model import Listener, LoadBalancer, SecurityGroup, TargetGroup, World
from localcloud.network import Network
from localcloud.state import State
from ops.errors import UserError


class BalancerController:
    """`published` maps each listener's port to its port on 127.0.0.1, for `localcloud.json`."""

    name = "balancer"

    def __init__(self, world: World, network: Network, image: Image, state: State) -> None:
        self._world, self._network, self._image = world, network, image
        self._folder = state.folder / "balancers"
        self._log = state.log(self.name)
        self._balancers: dict[str, Balancer] = {}
        shutil.rmtree(self._folder, ignore_errors=True)

    @property
    def published(self) -> dict[str, int]:
        balancers = list(self._balancers.values())
        return {str(port): at for each in balancers for port, at in each.publisher.ports.items()}

    def reconcile(self) -> None:
        records = {each.arn: each for each in self._world.load_balancers()}
        groups = {each.arn: _aware(each) for each in self._world.target_groups()}
        rules = {each.id: each for each in self._world.security_groups()}
        for arn in self._balancers.keys() - records.keys():
            self._balancers.pop(arn).stop()
        errors: list[Exception] = []
        for arn, record in records.items():
            try:
                self._turn(arn, record, groups, rules)
            except Exception as error:  # one balancer's trouble is not another's
                errors.append(error)
        self._report_unused(groups)
        if errors:
            raise errors[0] if len(errors) == 1 else ExceptionGroup("load balancers", errors)

    def _turn(
        self, arn: str, record: LoadBalancer, groups: dict[str, TargetGroup], rules: dict[str, SecurityGroup]
    ) -> None:
        if arn not in self._balancers:
            folder = self._folder / record.name
            self._balancers[arn] = Balancer(folder, self._log, self._world, self._network, self._image)
        own = [rules[each] for each in record.security_group_ids if each in rules]
        sources = {each.port: admitted(each, own) for each in record.listeners}
        complaints = self._balancers[arn].reconcile(record, groups, sources)
        if complaints:
            raise UserError(f"load balancer {record.name}: {'; '.join(complaints)}")

    def _report_unused(self, groups: dict[str, TargetGroup]) -> None:
        """AWS checks nothing in a group that no rule forwards to."""
        for group in groups.values():
            for target in () if group.in_use else group.targets:
                self._world.set_target_health(group.arn, target, "unused", "Target.NotInUse")

    def stop(self) -> None:
        errors: list[Exception] = []
        while self._balancers:
            try:
                self._balancers.popitem()[1].stop()
            except Exception as error:
                errors.append(error)
        shutil.rmtree(self._folder, ignore_errors=True)
        if errors:
            raise ExceptionGroup("load balancers that do not end", errors)


def admitted(listener: Listener, groups: list[SecurityGroup]) -> set[str]:
    """The networks that the balancer's security groups let in at a listener's port."""
    return {
        str(rule.cidr)
        for group in groups
        for rule in group.rules
        if rule.direction == "ingress" and rule.cidr is not None and rule.protocol in ("-1", "tcp", "6")
        if rule.port_from is None or rule.port_from <= listener.port <= (rule.port_to or rule.port_from)
    }


def _aware(group: TargetGroup) -> TargetGroup:
    return replace(group, targets=tuple(aware(each) for each in group.targets))
