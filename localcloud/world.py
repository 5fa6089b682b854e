"""Moto's state as the controllers see it: `World` of localcloud/model.py over the backends of this process.

Every method takes the one lock around moto, so a snapshot never holds half of a request.
"""

import secrets as random
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from moto.acm.models import acm_backends
from moto.core.exceptions import JsonRESTError, ServiceException
from moto.ec2.models import ec2_backends
from moto.elbv2.models import elbv2_backends
from moto.rds.models import rds_backends
from moto.secretsmanager.models import secretsmanager_backends
from moto.sts.models import sts_backends

from localcloud import gaps
from localcloud.api.lock import MOTO
from localcloud.gaps import databases as database_gap
from localcloud.gaps import instance_states, target_health
from localcloud.gaps.settings import ACCOUNT
from localcloud.metrics import Meter
from localcloud.model import (
    Database,
    DatabaseStatus,
    Instance,
    InstanceState,
    LoadBalancer,
    SecurityGroup,
    Target,
    TargetGroup,
    TargetHealth,
)
from localcloud.records import balancing, databases, ec2

REGION = "us-east-1"
SESSION = timedelta(hours=6)
RENEW_BEFORE = timedelta(hours=1)


class MotoWorld:
    """Terminated instances are not listed: their machine has to be gone, and they have no address left."""

    def __init__(self, region: str = REGION, account: str = ACCOUNT) -> None:
        gaps.install()
        self.region, self.account = region, account
        self.meter = Meter()
        self._sessions: dict[tuple[str, str], Any] = {}

    def _backend(self, backends: Any) -> Any:
        return backends[self.account][self.region]

    def instances(self) -> list[Instance]:
        with MOTO:
            backend = self._backend(ec2_backends)
            found = [each for each in backend.all_instances() if each.state != "terminated" and each.nics]
            return [ec2.instance(backend, each) for each in found]

    def set_instance_state(self, instance_id: str, state: InstanceState, reason: str = "") -> None:
        """An instance that is shutting down stays so until it is gone, whatever else its machine did meanwhile."""
        with MOTO:
            found = self._backend(ec2_backends).get_instance_by_id(instance_id)
            if found is None or (found.state == "shutting-down" and state != "terminated"):
                return
            if found.state == "terminated":
                return
            instance_states.settle(found, state, reason)
            if state in ("terminated", "shutting-down"):
                self._backend(elbv2_backends).notify_terminate_instances([instance_id])

    def set_console(self, instance_id: str, path: str) -> None:
        with MOTO:
            found = self._backend(ec2_backends).get_instance_by_id(instance_id)
            if found is not None:
                found.console_path = path

    def security_groups(self) -> list[SecurityGroup]:
        with MOTO:
            backend = self._backend(ec2_backends)
            groups = [group for vpc in backend.groups.values() for group in vpc.values()]
            return [ec2.security_group(backend, group) for group in groups if group.vpc_id]

    def load_balancers(self) -> list[LoadBalancer]:
        with MOTO:
            backend = self._backend(elbv2_backends)
            return [balancing.load_balancer(backend, found) for found in backend.load_balancers.values()]

    def target_groups(self) -> list[TargetGroup]:
        with MOTO:
            groups = self._backend(elbv2_backends).target_groups.values()
            return [balancing.target_group(found) for found in groups]

    def set_target_health(self, group_arn: str, target: Target, health: TargetHealth, reason: str = "") -> None:
        """`unused`, of a target that drains, says that its last request is answered."""
        with MOTO:
            group = self._backend(elbv2_backends).target_groups.get(group_arn)
            if group is None:
                return
            if target.id in group.targets:
                target_health.set_health(group, (target.id, target.port), health, reason)
            elif health == "unused":
                target_health.draining(group).pop((target.id, target.port), None)

    def count_requests(
        self, balancer_arn: str, group_arn: str, requests: int, errors: int, health: tuple[int, int]
    ) -> None:
        with MOTO:
            self.meter.count(f"{_suffix(balancer_arn)}/{_suffix(group_arn)}", requests, errors, health)

    def count_errors(self, balancer_arn: str, errors: int) -> None:
        with MOTO:
            self.meter.count_own(_suffix(balancer_arn), errors)

    def databases(self) -> list[Database]:
        with MOTO:
            return [databases.database(found) for found in self._backend(rds_backends).databases.values()]

    def set_database_status(self, database_id: str, status: DatabaseStatus, reason: str = "") -> None:
        """`deleting`, of a database that the API is deleting, says that it is gone."""
        with MOTO:
            database_gap.settle(self._backend(rds_backends), database_id, status, reason)

    def secret(self, arn: str) -> str | None:
        with MOTO:
            backend = self._backend(secretsmanager_backends)
            try:
                value = backend.get_secret_value(arn, "", "AWSCURRENT")
            except (ServiceException, JsonRESTError):
                return None
            found = value.get("SecretString")
            return str(found) if found is not None else None

    def certificate(self, arn: str) -> tuple[str, str, str] | None:
        with MOTO:
            bundle = self._backend(acm_backends)._certificates.get(arn)
            if bundle is None:
                return None
            return bundle.cert.decode(), bundle.key.decode(), bundle.chain.decode()

    def role_credentials(self, role_arn: str, instance_id: str) -> Mapping[str, str]:
        """The same ones until an hour before they expire, as the metadata service of EC2 does."""
        with MOTO:
            now = datetime.now(UTC)
            session = self._sessions.get((role_arn, instance_id))
            if session is None or session.expiration.replace(tzinfo=UTC) - now < RENEW_BEFORE:
                session = sts_backends[self.account]["aws"].assume_role(
                    region_name=self.region,
                    role_session_name=instance_id,
                    role_arn=role_arn,
                    policy="",
                    duration=int(SESSION.total_seconds()),
                    external_id=random.token_hex(4),
                )
                self._sessions[role_arn, instance_id] = session
            return {
                "Code": "Success",
                "LastUpdated": f"{session.expiration - SESSION:%Y-%m-%dT%H:%M:%SZ}",
                "Type": "AWS-HMAC",
                "AccessKeyId": session.access_key_id,
                "SecretAccessKey": session.secret_access_key,
                "Token": session.session_token,
                "Expiration": f"{session.expiration:%Y-%m-%dT%H:%M:%SZ}",
            }


def _suffix(arn: str) -> str:
    """The name by which CloudWatch knows a balancer or target group."""
    return arn.rsplit(":", 1)[-1].removeprefix("loadbalancer/")
