"""The functions (invokes) that the program calls: questions to the API, and getPolicyDocument, which is pure."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from localcloud.provider.call import Call
from localcloud.provider.schema import REGION, Fields


@dataclass(frozen=True, kw_only=True)
class Function:
    """`run` gets the checked arguments and answers the result's properties, `id` included where the SDK has one."""

    token: str
    inputs: Fields
    run: Callable[[Call, Mapping[str, Any]], dict[str, Any]]


def get_caller_identity(call: Call, _args: Mapping[str, Any]) -> dict[str, Any]:
    who = call.client("sts").get_caller_identity()
    return {"accountId": who["Account"], "arn": who["Arn"], "userId": who["UserId"], "id": who["Account"]}


def get_region(call: Call, _args: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "id": call.region,
        "name": call.region,
        "region": call.region,
        "description": call.region,
        "endpoint": f"ec2.{call.region}.amazonaws.com",
    }


FUNCTIONS: tuple[Function, ...] = (
    Function(token="aws:index/getCallerIdentity:getCallerIdentity", inputs={}, run=get_caller_identity),
    Function(token="aws:index/getRegion:getRegion", inputs=REGION, run=get_region),
)
