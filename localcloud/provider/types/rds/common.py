"""Names and tags as RDS wants them: lower case, and tags by ARN."""

from localcloud.provider.call import Call
from localcloud.provider.resource import Args, State
from localcloud.provider.rules import length, matches
from localcloud.provider.schema import Autoname, Field, text
from localcloud.provider.tags import from_pairs
from localcloud.provider.tags import retag as by_calls

LETTERS = matches(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", "begin with a letter and consist of a-z, 0-9 and single hyphens")


def name(longest: int = 255) -> Field:
    return text(length(1, longest), LETTERS, replace=True, computed=True, autoname=Autoname(lower=True))


def tags(call: Call, arn: str) -> dict[str, str]:
    return from_pairs(call.client("rds").list_tags_for_resource(ResourceName=arn)["TagList"])


def retag(call: Call, arn: str, old: State, new: Args) -> None:
    client = call.client("rds")
    by_calls(
        old,
        new,
        lambda keys: client.remove_tags_from_resource(ResourceName=arn, TagKeys=keys),
        lambda tags: client.add_tags_to_resource(ResourceName=arn, Tags=tags),
    )
