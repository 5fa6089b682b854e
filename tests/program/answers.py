"""What the cloud of the program tests answers, where the program looks at an answer."""

from collections.abc import Mapping
from typing import Any

import grpc
from pulumi.runtime import mocks

AMI = {"architecture": "x86_64", "rootDeviceName": "/dev/xvda"}


class RefusedError(grpc.RpcError):  # type: ignore[misc]
    """A function's failure as the engine reports it."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text

    def code(self) -> grpc.StatusCode:
        return grpc.StatusCode.UNKNOWN

    def details(self) -> str:
        return self.text


class Cloud(mocks.Mocks):
    """Made-up identities, and answers as AWS would give them. Every call is appended to `calls`."""

    def __init__(self, calls: list[tuple[str, dict[str, Any]]], answers: Mapping[str, Any]) -> None:
        self.calls = calls
        self.answers = {
            "aws:index/getCallerIdentity:getCallerIdentity": {"accountId": "123456789012"},
            "aws:ec2/getAmi:getAmi": AMI,
            "aws:ec2/getInstanceType:getInstanceType": {"supportedArchitectures": ["x86_64"]},
        } | dict(answers)

    def call(self, args: mocks.MockCallArgs) -> Any:
        self.calls.append((args.token, args.args))
        answer = self.answers[args.token]
        if isinstance(answer, Exception):
            raise answer
        return answer(args.args) if callable(answer) else answer

    def new_resource(self, args: mocks.MockResourceArgs) -> tuple[str, dict[str, Any]]:
        slug = args.typ.split(":")[-1]
        made = {"arn": f"arn:aws:{slug}:us-east-1:123456789012:{args.name}", "name": f"{args.name}-0123456"}
        return f"{args.name}-id", made | _answered(args) | args.inputs


def _answered(args: mocks.MockResourceArgs) -> dict[str, Any]:
    match args.typ:
        case "aws:s3/bucket:Bucket":
            return {"bucket": f"{args.name}-0123456", "arn": f"arn:aws:s3:::{args.name}-0123456"}
        case "aws:rds/instance:Instance":
            secret = {"secretArn": "arn:aws:secretsmanager:us-east-1:123456789012:secret:rds-master"}
            known = {"identifier": f"{args.name}-0123456", "address": "database.internal", "port": 5432}
            return {**known, "masterUserSecrets": [secret]}
        case "aws:lb/loadBalancer:LoadBalancer":
            suffix = f"app/{args.name}/0a1b"
            return {"dnsName": "balancer.example.net", "zoneId": "Z35SXDOTRQ7X7K", "arnSuffix": suffix}
        case "aws:lb/targetGroup:TargetGroup":
            return {"arnSuffix": f"targetgroup/{args.name}/0a1b"}
        case "aws:ec2/launchTemplate:LaunchTemplate":
            return {"latestVersion": 1}
        case "aws:ec2/vpcEndpoint:VpcEndpoint":
            return {"prefixListId": "pl-63a5400a"}
        case "aws:ec2/keyPair:KeyPair":
            return {"keyName": f"{args.name}-0123456"}
        case "aws:acm/certificate:Certificate":
            names = [args.inputs["domainName"], *args.inputs.get("subjectAlternativeNames", [])]
            return {"domainValidationOptions": [_validation(name) for name in reversed(names)]}
        case "aws:route53/record:Record":
            return {"fqdn": args.inputs["name"]}
        case _:
            return {}


def _validation(name: str) -> dict[str, str]:
    return {
        "domainName": name,
        "resourceRecordName": f"_proof.{name}",
        "resourceRecordType": "CNAME",
        "resourceRecordValue": "_proof.acm-validations.aws",
    }
