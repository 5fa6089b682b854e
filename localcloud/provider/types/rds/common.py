"""Names and tags as RDS wants them: lower case, and tags by ARN."""

from typing import Any

from localcloud.provider.call import Call
from localcloud.provider.resource import State
from localcloud.provider.rules import length, matches
from localcloud.provider.schema import Autoname, Field, text
from localcloud.provider.tags import changes, from_pairs, pairs

LETTERS = matches(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", "begin with a letter and consist of a-z, 0-9 and single hyphens")


def name(longest: int = 255) -> Field:
    return text(length(1, longest), LETTERS, replace=True, computed=True, autoname=Autoname(lower=True))


def tags(call: Call, arn: str) -> dict[str, str]:
    return from_pairs(call.client("rds").list_tags_for_resource(ResourceName=arn)["TagList"])


def retag(call: Call, arn: str, old: State, new: Any) -> None:
    removed, added = changes(old.get("tagsAll"), new["tagsAll"])
    if removed:
        call.client("rds").remove_tags_from_resource(ResourceName=arn, TagKeys=removed)
    if added:
        call.client("rds").add_tags_to_resource(ResourceName=arn, Tags=pairs(added))
