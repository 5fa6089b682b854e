"""The whole program under the real engine, on the API with its gaps closed and no machines."""

import hashlib
import json
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from infra.components.fleet import LAUNCH_HOOK
from ops.environment import PASSPHRASE
from tests.moto.cloud import ENVIRONMENT, client
from tests.moto.engine import ROOT, Stack


def releases(folder: Path) -> Path:
    """Releases and a deployment that nobody will run, as `make release` describes them."""
    folder.mkdir()

    def keep(content: bytes, suffix: str) -> tuple[str, str]:
        digest = hashlib.sha256(content).hexdigest()
        file = folder / f"{digest}{suffix}"
        file.write_bytes(content)
        return digest, str(file)

    made: dict[str, dict[str, str]] = {}
    for kind in ("server", "control", "jobs", "airflow", "training"):
        digest, file = keep(kind.encode(), ".tar.zst")
        made[kind] = {"digest": digest, "file": file}
    manifest = json.dumps({"models": [], "release": made["server"]["digest"], "schema": 1}, separators=(",", ":"))
    digest, file = keep(manifest.encode(), ".json")
    made["deployment"] = {"id": digest[:12], "file": file}
    described = folder / "bootstrap.json"
    described.write_text(json.dumps(made))
    return described


@pytest.fixture(scope="module")
def program(pulumi: Path, cloud: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    folder = tmp_path_factory.mktemp("program")
    for name in ("Pulumi.yaml", "Pulumi.local.yaml"):
        shutil.copy(ROOT / name, folder)
    (folder / "infra").symlink_to(ROOT / "infra")
    key = folder / "key.pub"
    key.write_text("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ2Zp2yq3nq0l0yYw0m0o3Zl5cQ7Jc5Yw9i5uQw1K2aB test\n")
    environment = {
        **ENVIRONMENT,
        "AWS_ENDPOINT_URL": cloud,
        "PULUMI_CONFIG_PASSPHRASE": PASSPHRASE,
        "SLIPWAY_OPERATOR_PUBLIC_KEY_FILE": str(key),
    }
    stack = Stack(folder, pulumi, environment, name="local")
    stack.init()
    stack.set("slipway:releases", str(releases(folder / "releases")))
    stack.up()
    yield stack
    stack.destroy()
    left = client("ec2", cloud).describe_vpcs(Filters=[{"Name": "is-default", "Values": ["false"]}])["Vpcs"]
    assert (stack.resources(), left) == ([], [])
    stack.up()  # again, under the same name
    stack.destroy()


def named(steps: list[dict[str, Any]]) -> dict[str, str]:
    """Steps by type and logical name: `{"Vpc slipway-local-vpc": "update"}`."""
    found = {}
    for step in steps:
        kind, name = step["urn"].split("::")[-2:]
        found[f"{kind.split(':')[-1]} {name}"] = step["op"]
    return found


def unchanged(stack: Stack) -> None:
    stack.up("--expect-no-changes")
    stack.run("refresh", "--yes", "--skip-preview", "--expect-no-changes")


def test_a_second_up_and_a_refresh_change_nothing(program: Stack) -> None:
    unchanged(program)
    assert program.preview() == []


@pytest.mark.long
def test_drift_made_behind_its_back_is_seen_and_mended(program: Stack, cloud: str) -> None:
    ec2 = client("ec2", cloud)
    vpc, rule = program.resource("slipway-local-vpc"), program.resource("slipway-local-serving-8080-from-balancer")
    ec2.delete_tags(Resources=[vpc["id"]], Tags=[{"Key": "Name"}])
    ec2.revoke_security_group_ingress(GroupId=rule["inputs"]["securityGroupId"], SecurityGroupRuleIds=[rule["id"]])
    program.refresh()
    assert named(program.preview()) == {
        "Vpc slipway-local-vpc": "update",
        "SecurityGroupIngressRule slipway-local-serving-8080-from-balancer": "create",
    }
    program.up()


def test_the_pointer_belongs_to_the_runtime(program: Stack, cloud: str) -> None:
    pointer = program.resource("slipway-local-deployment", "Parameter")["outputs"]["name"]
    client("ssm", cloud).put_parameter(Name=pointer, Value="0123456789ab", Overwrite=True)
    program.refresh()
    program.up("--expect-no-changes")
    assert client("ssm", cloud).get_parameter(Name=pointer)["Parameter"]["Value"] == "0123456789ab"


@pytest.mark.long
def test_another_instance_type_is_a_new_template_version_and_a_refresh(program: Stack, cloud: str) -> None:
    program.set("slipway:fleet.instanceType", "t3.medium")
    name = "slipway-local-serving"
    assert named(program.preview()) == {f"LaunchTemplate {name}": "update", f"Group {name}": "update"}
    program.up()
    group = program.resource(name, "autoscaling/group:Group")["id"]
    refreshes = client("autoscaling", cloud).describe_instance_refreshes(AutoScalingGroupName=group)
    assert [each["Status"] for each in refreshes["InstanceRefreshes"]] == ["Successful"]


@pytest.mark.long
def test_another_range_of_a_subnet_is_another_subnet(program: Stack) -> None:
    moved = {"public": "10.20.0.0/20", "private": "10.20.96.0/20", "isolated": "10.20.128.0/20"}
    for tier, network in moved.items():
        program.set(f"slipway:network.subnets.us-east-1a.{tier}", network)
    name = "slipway-local-private-us-east-1a"
    before = program.resource(name, "Subnet")["id"]
    program.up()
    assert program.resource(name, "Subnet")["id"] != before
    unchanged(program)


@contextmanager
def repeated(step: Callable[[], bool]) -> Iterator[None]:
    """`step` beside what runs here, again and again until it says that it is done."""
    over = threading.Event()

    def steps() -> None:
        while not over.wait(0.2) and not step():
            pass

    thread = threading.Thread(target=steps)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join(10)


@contextmanager
def launching(cloud: str) -> Iterator[None]:
    """Worker nodes as far as the program sees them: each says that it is ready when its group waits for that."""
    groups = client("autoscaling", cloud)

    def say() -> bool:
        for member in groups.describe_auto_scaling_instances()["AutoScalingInstances"]:
            if member["LifecycleState"] == "Pending:Wait":
                groups.complete_lifecycle_action(
                    AutoScalingGroupName=member["AutoScalingGroupName"],
                    LifecycleHookName=LAUNCH_HOOK,
                    InstanceId=member["InstanceId"],
                    LifecycleActionResult="CONTINUE",
                )
        return False

    with repeated(say):
        yield


@contextmanager
def announcing(cloud: str, role: str) -> Iterator[None]:
    """A node that no balancer asks, as far as the program sees it: it writes its address down, once, when it runs."""
    ec2, ssm = client("ec2", cloud), client("ssm", cloud)
    running = [
        {"Name": "tag:slipway-role", "Values": [role]},
        {"Name": "instance-state-name", "Values": ["running"]},
    ]

    def announce() -> bool:
        for entry in ec2.describe_instances(Filters=running)["Reservations"]:
            address = entry["Instances"][0]["PrivateIpAddress"]
            ssm.put_parameter(Name=f"/slipway/local/{role}-address", Value=address, Overwrite=True)
            return True
        return False

    with repeated(announce):
        yield


@pytest.mark.long
def test_jobs_come_with_one_up_stay_as_they_are_and_go_with_another(program: Stack, cloud: str) -> None:
    before = {each["urn"] for each in program.resources()}
    program.set("slipway:jobs.enabled", "true")
    program.set("slipway:jobs.fleet.desired", "1")
    program.set("slipway:jobs.fleet.backlogPerInstance", "100")
    with announcing(cloud, "broker"), launching(cloud):
        program.up()
    program.refresh()  # which notes the address
    unchanged(program)
    group = program.resource("slipway-local-broker", "autoscaling/group:Group")["id"]
    found = client("autoscaling", cloud).describe_auto_scaling_groups(AutoScalingGroupNames=[group])
    assert [each["HealthCheckType"] for each in found["AutoScalingGroups"]] == ["EC2"]
    workers = program.resource("slipway-local-worker", "autoscaling/group:Group")["id"]
    found = client("autoscaling", cloud).describe_auto_scaling_groups(AutoScalingGroupNames=[workers])
    (group,) = found["AutoScalingGroups"]
    assert [member["LifecycleState"] for member in group["Instances"]] == ["InService"], "`up` has waited for its word"
    (policy,) = client("autoscaling", cloud).describe_policies(AutoScalingGroupName=workers)["ScalingPolicies"]
    metrics = policy["TargetTrackingConfiguration"]["CustomizedMetricSpecification"]["Metrics"]
    assert {metric["Id"] for metric in metrics} == {"queued", "nodes", "each"}
    program.set("slipway:jobs.fleet.backlogPerInstance", "0")
    program.set("slipway:jobs.fleet.desired", "0")
    program.set("slipway:jobs.enabled", "false")
    program.up()
    left = {each["urn"] for each in program.resources()}
    assert left == before, "of jobs nothing stays, and all else does"
    unchanged(program)


@pytest.mark.long
def test_the_pipeline_node_comes_with_one_up_stays_as_it_is_and_goes_with_another(program: Stack, cloud: str) -> None:
    before = {each["urn"] for each in program.resources()}
    program.set("slipway:pipeline.enabled", "true")
    program.set("slipway:pipeline.tables.diabetes", "diabetes")
    with announcing(cloud, "pipeline"):
        program.up()
    program.refresh()  # which notes the address
    unchanged(program)
    secret = program.resource("slipway-local-pipeline", "secretsmanager/secret:Secret")["id"]
    found = client("secretsmanager", cloud).describe_secret(SecretId=secret)
    assert not found.get("VersionIdsToStages"), "its value is the node's own"
    program.set("slipway:pipeline.enabled", "false")
    program.up()
    assert {each["urn"] for each in program.resources()} == before
    unchanged(program)
