"""The API of the local cloud in the test's own process: a client per service, its world, and a network to test in."""

import itertools
import json
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from localcloud.api.callers import OPERATOR_KEY_ID, OPERATOR_SECRET
from localcloud.api.server import ApiServer
from localcloud.autoscaling import AutoscalingController
from localcloud.instant import InstantController
from localcloud.world import MotoWorld

IMAGE = "ami-05119a4debb1a1212"
_numbers = itertools.count(1)


class Network:
    """A VPC with an internet gateway, one subnet in each of two zones, and a security group."""

    def __init__(self, ec2: Any) -> None:
        number = next(_numbers)
        self.vpc = ec2.create_vpc(CidrBlock=f"10.{number}.0.0/16")["Vpc"]["VpcId"]
        self.gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
        ec2.attach_internet_gateway(InternetGatewayId=self.gateway, VpcId=self.vpc)
        self.subnets = [
            ec2.create_subnet(VpcId=self.vpc, CidrBlock=f"10.{number}.{i}.0/28", AvailabilityZone=f"us-east-1{zone}")[
                "Subnet"
            ]["SubnetId"]
            for i, zone in enumerate("ab")
        ]
        self.group = ec2.create_security_group(GroupName="nodes", Description="nodes", VpcId=self.vpc)["GroupId"]


class LocalApi:
    def __init__(self, endpoint: str) -> None:
        self.endpoint = endpoint
        self.world = MotoWorld()
        self.machines = InstantController(self.world, drains=True)
        self.autoscaling = AutoscalingController(self.world)
        self.groups = self.client("autoscaling")
        self._clients: dict[str, Any] = {}

    def client(
        self, service: str, access_key: str = OPERATOR_KEY_ID, secret: str = OPERATOR_SECRET, token: str = ""
    ) -> Any:
        return boto3.client(
            service,
            endpoint_url=self.endpoint,
            region_name="us-east-1",
            aws_access_key_id=access_key,
            aws_secret_access_key=secret,
            aws_session_token=token or None,
            config=Config(retries={"total_max_attempts": 1}),
        )

    def __getattr__(self, service: str) -> Any:
        if service not in self._clients:
            self._clients[service] = self.client(service)
        return self._clients[service]

    def network(self) -> Network:
        return Network(self.ec2)

    def name(self, prefix: str) -> str:
        return f"{prefix}-{next(_numbers)}"

    def turn(self, turns: int = 4) -> None:
        """What the daemon does every quarter of a second."""
        for _ in range(turns):
            self.autoscaling.reconcile()
            self.machines.reconcile()

    def turn_until(self, done: Callable[[], bool], seconds: float = 60) -> None:
        deadline = time.monotonic() + seconds
        while not done():
            assert time.monotonic() < deadline, "it did not come about"
            self.turn(1)
            time.sleep(0.02)

    def role(self, policy: dict[str, Any]) -> str:
        """A role that EC2 may assume, with one inline policy; its ARN."""
        name = self.name("role")
        trust = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "ec2.amazonaws.com"}}
        document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
        arn = self.iam.create_role(RoleName=name, AssumeRolePolicyDocument=document)["Role"]["Arn"]
        self.iam.put_role_policy(RoleName=name, PolicyName="own", PolicyDocument=json.dumps(policy))
        return str(arn)

    def as_node(self, service: str, role_arn: str, instance: str = "i-0123456789abcdef0") -> Any:
        """A client with the credentials that the metadata service gives a machine of that role."""
        given = self.world.role_credentials(role_arn, instance)
        return self.client(service, given["AccessKeyId"], given["SecretAccessKey"], given["Token"])


@contextmanager
def local_api(record: Path | None = None) -> Iterator[LocalApi]:
    listening = socket.create_server(("127.0.0.1", 0))
    server = ApiServer([listening], checkout="slipway-000000", record=record)
    server.start()
    try:
        yield LocalApi(f"http://127.0.0.1:{listening.getsockname()[1]}")
    finally:
        server.stop()


def refusal(call: Callable[..., Any], **arguments: Any) -> str:
    """The error code AWS answers; the call has to fail."""
    try:
        call(**arguments)
    except ClientError as error:
        return str(error.response["Error"]["Code"])
    raise AssertionError("it was accepted")
