"""One serving node in a local cloud of its own, with the little of a stack that it needs, and a client under load."""

import base64
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
import pytest

from contract import S3
from infra import bundle, userdata
from localcloud.cli import enter_argv
from localcloud.state import CHECKOUT, State
from ops import canonical, deployment
from ops.errors import UserError
from ops.run import Result, run
from ops.store import Store
from tests.waiting import until

BUCKET = "slipway-test-artifacts"
PARAMETER = "/slipway/test/deployment"
FACTS: dict[str, Any] = {
    "stack": "test",
    "role": "serving",
    "region": "us-east-1",
    "bucket": BUCKET,
    "deployment_parameter": PARAMETER,
    "watcher_key_parameter": None,
    "jobs": None,
    "prediction_log": {"share": 1.0, "daily_bytes": 2**30},
}
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ0000000000000000000000000000000000000000000 operator"
ACTIVATE = "/usr/local/lib/slipway/slipway-activate"

# Keeps its connections, as a balancer does, and counts every answer that is not 200 and every reset. It rests between
# two requests, as the whole stack's load does: what saturates the machine makes every switch several times as long.
LOAD = """
import collections, http.client, json, sys, threading, time
address, connections, body = sys.argv[1], int(sys.argv[2]), sys.argv[3]
answers, failures, lock, stop = collections.Counter(), [], threading.Lock(), threading.Event()
def work():
    connection = http.client.HTTPConnection(address, 8080, timeout=70)
    while not stop.is_set():
        try:
            connection.request("POST", "/invocations", body, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            content = answer.read()
            with lock:
                if answer.status == 200: answers[answer.headers["X-Slipway-Deployment"]] += 1
                else: failures.append(f"{answer.status} {content[:200]}")
        except Exception as error:
            with lock: failures.append(repr(error))
            connection.close()
        stop.wait(0.01)
threads = [threading.Thread(target=work) for _ in range(connections)]
for thread in threads: thread.start()
sys.stdin.read()
stop.set()
for thread in threads: thread.join()
print(json.dumps({"answers": answers, "failures": failures}))
"""


@dataclass
class Load:
    """Requests without end, until `result` is asked for: answers per deployment, and what failed."""

    process: "subprocess.Popen[str]"

    def result(self) -> tuple[dict[str, int], list[str]]:
        output, _ = self.process.communicate("", timeout=120)
        said = json.loads(output)
        return said["answers"], said["failures"]


@dataclass
class Rig:
    folder: Path
    store: Store = field(default_factory=lambda: Store("us-east-1", BUCKET, PARAMETER))
    node: str = ""
    address: str = ""

    @property
    def state(self) -> State:
        return State(self.folder)

    def localcloud(self, *words: str, check: bool = True) -> Result:
        return run([sys.executable, "-m", "localcloud", *words], cwd=self.folder, check=check, timeout_seconds=300)

    def start(self, patch: pytest.MonkeyPatch) -> None:
        """A local cloud for a checkout of its own, and this process's environment for it."""
        for name in ("contract", "localcloud", "ops", "toolchain"):
            shutil.copytree(CHECKOUT / name, self.folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        self.localcloud("start")
        running = self.state.read()
        assert running
        patch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{running.api_port}")
        patch.setenv("AWS_ACCESS_KEY_ID", "AKIASLIPWAYLOCAL0000")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "local")
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")

    def prepare(self, pointer: str) -> None:
        """What the program makes around a node: its role, its files, the pointer."""
        iam = boto3.client("iam")
        trust = {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}
        reads = [f"arn:aws:s3:::{BUCKET}/{prefix}*" for prefix in (S3.nodes, S3.releases, S3.deployments, S3.models)]
        grants: list[dict[str, Any]] = [
            {"Effect": "Allow", "Action": "s3:GetObject", "Resource": reads},
            {"Effect": "Allow", "Action": "s3:PutObject", "Resource": f"arn:aws:s3:::{BUCKET}/{S3.predictions}*"},
            {"Effect": "Allow", "Action": "ssm:GetParameter", "Resource": f"arn:aws:ssm:*:*:parameter{PARAMETER}"},
        ]
        iam.create_role(RoleName="serving", AssumeRolePolicyDocument=_policy(trust))
        iam.put_role_policy(RoleName="serving", PolicyName="serving", PolicyDocument=_policy(*grants))
        iam.create_instance_profile(InstanceProfileName="serving")
        iam.add_role_to_instance_profile(InstanceProfileName="serving", RoleName="serving")
        files = bundle.bundle("serving")
        self.store.put(files.key, files.packed)
        boto3.client("ssm").put_parameter(Name=PARAMETER, Value=pointer, Type="String")

    def launch(self) -> None:
        """The node, in a network of its own."""
        ec2 = boto3.client("ec2")
        vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.1.0/24", AvailabilityZone="us-east-1a")["Subnet"]
        group = ec2.create_security_group(VpcId=vpc, GroupName="serving", Description="test")["GroupId"]
        anyone: list[dict[str, Any]] = [{"IpProtocol": "tcp", "FromPort": 8080, "ToPort": 8080}]
        anyone[0]["IpRanges"] = [{"CidrIp": "10.0.0.0/16"}]
        ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=anyone)
        image = next(image for image in ec2.describe_images()["Images"] if "slipway" in image["Name"])
        made = ec2.run_instances(
            ImageId=image["ImageId"],
            InstanceType="t3.medium",
            MinCount=1,
            MaxCount=1,
            SubnetId=subnet["SubnetId"],
            SecurityGroupIds=[group],
            IamInstanceProfile={"Name": "serving"},
            MetadataOptions={"HttpTokens": "required", "HttpPutResponseHopLimit": 1},
            UserData=base64.b64decode(userdata.encode(user_data())),
        )["Instances"][0]
        self.node, self.address = made["InstanceId"], made["PrivateIpAddress"]

    def inside(self, *words: str) -> Result:
        """As `localcloud shell` does it, without another Python for each of hundreds. A node that is down fails."""
        endpoint = "AWS_ENDPOINT_URL=http://169.254.169.250:4566"
        try:
            argv = enter_argv(self.state, self.node, ["/usr/bin/env", endpoint, *words])
        except (UserError, OSError) as error:
            return Result("", str(error), 1)
        return run(argv, check=False, timeout_seconds=300)

    def activate(self, *words: str) -> Result:
        return self.inside(ACTIVATE, *words)

    def status(self) -> Any:
        return json.loads(self.activate("status", "--json").stdout)

    def get(self, path: str) -> Result:
        return self.inside("curl", "--silent", "--include", "--max-time", "10", f"http://127.0.0.1:8080{path}")

    def until(self, check: Callable[[], bool], what: str) -> None:
        until(check, lambda: f"{what}\n{self.console[-4000:]}")

    def until_ready(self) -> None:
        self.until(lambda: self.get("/readyz").stdout.startswith("HTTP/1.1 200"), "the node is ready")

    @property
    def console(self) -> str:
        file = self.state.machine(self.node) / "console.log"
        return file.read_text(errors="replace") if file.exists() else "(no console)"

    def load(self, body: Any, connections: int = 8) -> Load:
        argv = ["nsenter", f"--net=/run/netns/{self.state.checkout_id}", "--", sys.executable, "-c", LOAD]
        argv += [self.address, str(connections), json.dumps(body)]
        pipe = subprocess.PIPE
        return Load(subprocess.Popen(argv, stdin=pipe, stdout=pipe, text=True, env={**os.environ, "PYTHONPATH": ""}))


def user_data() -> str:
    return userdata.render("serving", FACTS, [KEY], bundle.bundle("serving").key)


def _policy(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": statements})


def a_model(store: Store, code: Path, scratch: Path, top: float = 4.0) -> dict[str, Any]:
    """A small model in the bucket, and its entry of a manifest, made by the same functions as any other. With another
    `top` it answers otherwise."""
    import mlflow.sklearn
    import pandas
    from sklearn.linear_model import LinearRegression

    rows = pandas.DataFrame({"x": [0.0, 1.0, 2.0], "y": [1.0, 0.5, 3.0]})
    model = LinearRegression().fit(rows, [1.0, 2.0, top])
    files = scratch / "model"
    mlflow.sklearn.save_model(model, str(files), input_example=rows)
    expected, _ = deployment.expectation("line/1", code, files)
    with (scratch / "archive").open("wb") as archive:
        digest = canonical.write_tar(files, archive)
    store.put(f"models/{digest}.tar", scratch / "archive")
    entry = {"name": "line", "version": "1", "run_id": "r", "source": "s", "default": True}
    return {**entry, "digest": digest, "expected": expected}
