"""What a request asks for, as IAM sees it: service, operation, and the permissions it needs.

Query and JSON protocols name their operation; S3 does not (s3_actions.py), and of other REST services only the operator
calls any.
"""

import io
import json
import re
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

from botocore.parsers import BaseCBORParser, ResponseParserError

from localcloud.api import s3_actions
from localcloud.api.s3_actions import Permission, Request

# Where the name in a signature is not the prefix in a policy.
PREFIXES = {"monitoring": "cloudwatch", "tagging": "tag", "email": "ses"}
CREDENTIAL = re.compile(r"Credential=([^/,\s]+)/[^/]+/([^/]+)/([^/]+)/aws4_request")
PRESIGNED = re.compile(r"([^/]+)/[^/]+/([^/]+)/([^/]+)/aws4_request")
CBOR_PATH = re.compile(r"/service/[^/]+/operation/(\w+)")
NAMESPACED = {"cloudwatch:PutMetricData"}
ALWAYS_ALLOWED = {"sts:GetCallerIdentity", "sts:GetSessionToken"}


@dataclass(frozen=True)
class Call:
    access_key: str
    token: str
    region: str
    service: str
    operation: str
    parameters: Mapping[str, Any]
    permissions: tuple[Permission, ...]


def read(request: Request, account: str) -> Call:
    """An unsigned request has an empty access key, and is S3's if it is anybody's."""
    access_key, region, scope = _credential(request)
    service = PREFIXES.get(scope, scope)
    token = request.headers.get("x-amz-security-token") or request.query.get("X-Amz-Security-Token", "")
    if service == "s3":
        needed = s3_actions.permissions(request)
        operation = needed[0].action.partition(":")[2] if needed else "DeleteObjects"
        return Call(access_key, token, region, service, operation, {}, tuple(needed))
    operation, parameters = _operation(request)
    action = f"{service}:{operation or request.method}"
    resources = _resources(service, operation, parameters, f"{region}:{account}")
    context = (
        {"cloudwatch:namespace": str(parameters["Namespace"])}
        if action in NAMESPACED and "Namespace" in parameters
        else {}
    )
    permissions = tuple(Permission(action, resource, context) for resource in resources)
    return Call(access_key, token, region, service, operation, parameters, permissions)


def _credential(request: Request) -> tuple[str, str, str]:
    found = CREDENTIAL.search(request.headers.get("authorization", ""))
    found = found or PRESIGNED.fullmatch(request.query.get("X-Amz-Credential", ""))
    return (found[1], found[2], found[3]) if found else ("", "us-east-1", "s3")


def _operation(request: Request) -> tuple[str, dict[str, Any]]:
    if target := request.headers.get("x-amz-target"):
        try:
            body = json.loads(request.body or b"{}")
        except ValueError:
            body = {}
        return target.rpartition(".")[2], body if isinstance(body, dict) else {}
    if found := CBOR_PATH.fullmatch(request.path):
        return found[1], _cbor(request.body)
    form = request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded")
    parameters: dict[str, Any] = dict(parse_qsl(request.body.decode(), keep_blank_values=True)) if form else {}
    parameters = dict(request.query) | parameters
    return str(parameters.get("Action", "")), parameters


def _cbor(body: bytes) -> dict[str, Any]:
    try:
        found = BaseCBORParser().parse_data_item(io.BufferedReader(io.BytesIO(body)))
    except (ResponseParserError, ValueError, struct.error):
        return {}
    return found if isinstance(found, dict) else {}


def _resources(service: str, operation: str, parameters: Mapping[str, Any], place: str) -> list[str]:
    """ARNs the operation is about, `*` where IAM knows none for it."""
    if service == "ssm":
        return _ssm(operation, parameters, place)
    if service == "secretsmanager" and parameters.get("SecretId"):
        return [str(parameters["SecretId"])]
    if service == "secretsmanager" and operation == "CreateSecret":
        return [f"arn:aws:secretsmanager:{place}:secret:{parameters.get('Name')}-AbCdEf"]
    if operation.startswith(("Describe", "List")):
        return ["*"]
    values = [value for value in parameters.values() if isinstance(value, str)]
    arns = [value for value in values if value.startswith("arn:aws:")]
    if service != "autoscaling":  # which knows its groups, and no instance
        instances = [value for value in values if re.fullmatch(r"i-[0-9a-f]{8,17}", value)]
        arns += [f"arn:aws:ec2:{place}:instance/{value}" for value in instances]
    if group := parameters.get("AutoScalingGroupName"):
        arns.append(f"arn:aws:autoscaling:{place}:autoScalingGroup:*:autoScalingGroupName/{group}")
    return arns or ["*"]


def _ssm(operation: str, parameters: Mapping[str, Any], place: str) -> list[str]:
    names = [parameters.get(key) for key in ("Name", "Path") if parameters.get(key)]
    names += parameters.get("Names") or []
    if operation.startswith("Describe") or not names:
        return ["*"]
    return [
        str(name) if str(name).startswith("arn:") else f"arn:aws:ssm:{place}:parameter/{str(name).strip('/')}"
        for name in names
    ]
