"""Asks everyone at once: the pointer, the bucket, the registry, the balancer, and each node over ssh. In bounded time.

The registry and the nodes may be out of reach: that is shown, and does not keep the rest from being shown.
"""

import json
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import boto3

from contract import PARAMETERS, PATHS, S3, parameter
from ops import remote, s3
from ops.errors import UserError
from ops.inventory import Access
from ops.nodes import ROLLED, Node, nodes
from ops.remote import Answer
from ops.rollout import settings, trial
from ops.rollout.lock import Lock
from ops.rollout.objects import Objects
from ops.status import pipelines, queue
from ops.status.facts import NodeStatus, Status, WantedModel, node_status
from ops.status.judge import judged
from ops.store import Store
from ops.watcher.registry import Registry

NODE_SECONDS = 20.0
REGISTRY_SECONDS = 5.0
COMMAND = [f"{PATHS.bin}/slipway-activate", "status", "--json", "--server"]


def gather(at: Store, access: Access) -> Status:
    """Raises `UserError` when the stack itself cannot be asked: its pointer, its bucket, its instances."""
    client = boto3.client("ec2")
    everyone = nodes(access.stack, client)
    fleet = [node for node in everyone if node.role in ROLLED]
    hindered = {node.id: Answer(error=why) for node in fleet if (why := remote.known(node, access, client))}
    asked = [node for node in fleet if node.id not in hindered]
    with ThreadPoolExecutor(2) as pool:
        aliases = pool.submit(registered)
        answers = pool.submit(remote.ask_all, asked, access, COMMAND, NODE_SECONDS)
        pointer = at.pointer()
        manifest = at.manifest(pointer)
        held, paused, healthy = Lock(at).read(), Objects(at).read(S3.paused), health(fleet)
        trying = trial.read(at)
        known, unreachable = aliases.result()
        said = {**hindered, **answers.result()}
    alias = _alias()
    found = [_node(node, said[node.id], healthy.get(node.id, "")) for node in fleet]
    return judged(
        Status(
            stack=access.stack,
            deployment=pointer,
            release=manifest["release"],
            models=[wanted(model, known) for model in manifest["models"]],
            nodes=found,
            jobs=queue.words(
                [status for node, status in zip(fleet, found, strict=True) if node.role == "serving"],
                [node for node in everyone if node.role == "broker"],
                [node for node in fleet if node.role == "worker"],
            ),
            pipelines=pipelines.words(
                [node for node in everyone if node.role == "pipeline"], lambda: announced(at, access.stack)
            ),
            alias=alias,
            registry_error=unreachable,
            unserved=unserved(manifest, known, alias),
            lock="" if held is None else f"{held}{' (expired)' if held.expired else ''}",
            trial=trying.deployment if trying else "",
            trial_percent=trying.percent if trying else None,
            trial_words=str(trying) if trying else "",
            paused=paused_words(paused.content) if paused else "",
        )
    )


def announced(at: Store, stack: str) -> str:
    """The address that a pipeline node has written."""
    name = parameter(stack, PARAMETERS.pipeline_address)
    with s3.asked(f"parameter {name}"):
        answer = boto3.client("ssm", region_name=at.region).get_parameter(Name=name)
    return str(answer["Parameter"]["Value"])


def wanted(model: Mapping[str, Any], known: Mapping[str, Mapping[str, str]] | None) -> WantedModel:
    aliases = None if known is None else dict(known.get(model["name"], {}))
    return WantedModel(name=model["name"], version=model["version"], digest=model["digest"], aliases=aliases)


def unserved(manifest: Mapping[str, Any], known: Mapping[str, Mapping[str, str]] | None, alias: str) -> list[str]:
    """Models that carry the followed alias and are not in the deployment."""
    here = {model["name"] for model in manifest["models"]}
    found = (known or {}).items()
    return [f"{name}/{aliases[alias]}" for name, aliases in sorted(found) if alias in aliases and name not in here]


def registered() -> tuple[dict[str, dict[str, str]] | None, str]:
    """Every model's aliases, or None and why MLflow cannot be asked."""
    try:
        return Registry.from_environment(REGISTRY_SECONDS).aliases(), ""
    except UserError as error:
        return None, error.message.splitlines()[0]


def health(fleet: Sequence[Node]) -> dict[str, str]:
    """The balancer's word on each node of the groups' target groups."""
    groups = sorted({node.group for node in fleet if node.group})
    if not groups:
        return {}
    found = boto3.client("autoscaling").describe_auto_scaling_groups(AutoScalingGroupNames=groups)["AutoScalingGroups"]
    balancing = boto3.client("elbv2")
    return {
        target["Target"]["Id"]: target["TargetHealth"]["State"]
        for group in found
        for arn in group["TargetGroupARNs"]
        for target in balancing.describe_target_health(TargetGroupArn=arn)["TargetHealthDescriptions"]
    }


def paused_words(content: Mapping[str, Any]) -> str:
    """`by me since 12:01: reason`."""
    words = " ".join(f"{key} {content[key]}" for key in ("by", "since") if content.get(key))
    return f"{words}: {content['reason']}" if content.get("reason") else words or "by somebody"


def _node(node: Node, answer: Answer, healthy: str) -> NodeStatus:
    try:
        said = answer.error or json.loads(answer.output)
    except ValueError:
        said = f"its answer cannot be read: {answer.output[:60]!r}"
    return node_status(node, healthy, said, time.time())


def _alias() -> str:
    try:
        delivery = settings.current()
    except UserError:
        return ""
    return delivery.alias if delivery.follow_alias else ""
