"""Records of the local cloud, made for a test: sensible everywhere but where the test says otherwise."""

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address, IPv4Network
from typing import Any

from localcloud.model import (
    Action,
    Database,
    DatabaseStatus,
    HealthCheck,
    Instance,
    InstanceState,
    Listener,
    ListenerRule,
    LoadBalancer,
    SecurityGroup,
    Target,
    TargetGroup,
    TargetHealth,
)

INSTANCE = Instance(
    id="i-0aaa",
    state="running",
    image_id="ami-05119a4debb1a1212",
    instance_type="t3.medium",
    memory_mib=4096,
    vcpus=2,
    private_ip=IPv4Address("10.0.1.5"),
    private_dns="ip-10-0-1-5.ec2.internal",
    mac="0e:00:0a:00:01:05",
    zone="us-east-1a",
    region="us-east-1",
    account="123456789012",
    subnet_id="subnet-0a",
    subnet_cidr=IPv4Network("10.0.1.0/24"),
    vpc_id="vpc-0a",
    vpc_cidr=IPv4Network("10.0.0.0/16"),
    security_group_ids=("sg-0node",),
    user_data=b"#cloud-config\n",
    role_arn="arn:aws:iam::123456789012:role/slipway/serving-node",
    instance_profile_arn="arn:aws:iam::123456789012:instance-profile/serving",
    key_name="operator",
    public_key="ssh-ed25519 AAAA operator",
    http_tokens="required",
    http_endpoint="enabled",
    hop_limit=1,
    instance_metadata_tags=True,
    tags={"Name": "serving", "slipway-role": "serving"},
    launched=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
)

CHECK = HealthCheck(
    path="/readyz",
    port="traffic-port",
    interval_seconds=1,
    timeout_seconds=1,
    healthy_threshold=2,
    unhealthy_threshold=2,
    matcher="200",
)
GROUP_ARN = "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/fleet/0123456789abcdef"
GROUP = TargetGroup(
    arn=GROUP_ARN,
    name="fleet",
    protocol="HTTP",
    deregistration_delay_seconds=30,
    slow_start_seconds=0,
    health_check=CHECK,
    targets=(),
    in_use=True,
)
NOT_FOUND = Action(kind="fixed-response", status="404", content_type="application/json", body='{"error": "not found"}')
DEFAULT_RULE = ListenerRule(arn="arn:default", priority=None, action=NOT_FOUND)
FORWARD = Action(kind="forward", weights={GROUP_ARN: 1})
LISTENER = Listener(
    arn="arn:listener/8080",
    port=8080,
    protocol="HTTP",
    certificate_arns=(),
    ssl_policy=None,
    rules=(ListenerRule(arn="arn:rule/1", priority=1, path_patterns=("/predict",), action=FORWARD), DEFAULT_RULE),
)
BALANCER = LoadBalancer(
    arn="arn:loadbalancer/app/web",
    name="web",
    addresses=(IPv4Address("10.0.1.9"), IPv4Address("10.0.2.9")),
    security_group_ids=("sg-0web",),
    idle_timeout_seconds=60,
    drop_invalid_header_fields=True,
    listeners=(LISTENER,),
)
DATABASE = Database(
    id="tracking",
    status="creating",
    engine="postgres",
    engine_version="15.8",
    host="tracking.abc.us-east-1.rds.amazonaws.com",
    address=IPv4Address("10.0.3.4"),
    subnet_cidr=IPv4Network("10.0.3.0/24"),
    port=5432,
    database="mlflow",
    master_user="slipway",
    master_secret_arn="arn:secret",
    security_group_ids=("sg-0db",),
    memory_mib=1024,
)


def an_instance(**changes: Any) -> Instance:
    return replace(INSTANCE, **changes)


def a_target(instance_id: str, address: str, port: int = 8080, **changes: Any) -> Target:
    return Target(id=instance_id, port=port, address=IPv4Address(address), zone="us-east-1a", **changes)


class FakeWorld:
    """What a test says the API holds, and what controllers wrote back."""

    region = "us-east-1"
    account = "123456789012"

    def __init__(self) -> None:
        self.machines: list[Instance] = []
        self.groups: list[SecurityGroup] = []
        self.balancers: list[LoadBalancer] = []
        self.targets: list[TargetGroup] = []
        self.database_records: list[Database] = []
        self.secrets: dict[str, str] = {}
        self.certificates: dict[str, tuple[str, str, str]] = {}
        self.health: dict[str, tuple[TargetHealth, str]] = {}
        self.counted: dict[str, tuple[int, int]] = {}
        self.credentials_asked = 0

    def instances(self) -> list[Instance]:
        return list(self.machines)

    def set_instance_state(self, instance_id: str, state: InstanceState, reason: str = "") -> None:
        self.machines = [replace(each, state=state) if each.id == instance_id else each for each in self.machines]

    def set_console(self, instance_id: str, path: str) -> None:
        raise NotImplementedError

    def security_groups(self) -> list[SecurityGroup]:
        return list(self.groups)

    def load_balancers(self) -> list[LoadBalancer]:
        return list(self.balancers)

    def target_groups(self) -> list[TargetGroup]:
        return list(self.targets)

    def set_target_health(self, group_arn: str, target: Target, health: TargetHealth, reason: str = "") -> None:
        self.health[target.id] = (health, reason)

    def count_requests(
        self, balancer_arn: str, group_arn: str, requests: int, errors: int, health: tuple[int, int]
    ) -> None:
        before = self.counted.get(group_arn, (0, 0))
        self.counted[group_arn] = (before[0] + requests, before[1] + errors)

    def count_errors(self, balancer_arn: str, errors: int) -> None:
        before = self.counted.get(balancer_arn, (0, 0))
        self.counted[balancer_arn] = (before[0], before[1] + errors)

    def databases(self) -> list[Database]:
        return list(self.database_records)

    def set_database_status(self, database_id: str, status: DatabaseStatus, reason: str = "") -> None:
        self.database_records = [
            replace(each, status=status) if each.id == database_id else each for each in self.database_records
        ]

    def secret(self, arn: str) -> str | None:
        return self.secrets.get(arn)

    def set_password(self, password: str, user: str = "slipway") -> None:
        self.secrets["arn:secret"] = json.dumps({"username": user, "password": password})

    def certificate(self, arn: str) -> tuple[str, str, str] | None:
        return self.certificates.get(arn)

    def role_credentials(self, role_arn: str, instance_id: str) -> Mapping[str, str]:
        self.credentials_asked += 1
        expires = datetime.now(UTC) + timedelta(hours=6)
        return {
            "Code": "Success",
            "Type": "AWS-HMAC",
            "AccessKeyId": "ASIATEST",
            "SecretAccessKey": "secret",
            "Token": "token",
            "Expiration": expires.strftime("%Y-%m-%dT%H:%M:%SZ"),
        }
