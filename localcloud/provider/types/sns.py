"""SNS: topics, and who is told."""

from typing import Any

from localcloud.provider.call import Call
from localcloud.provider.resource import Args, Resource, State
from localcloud.provider.rules import arn, length, matches, one_of
from localcloud.provider.schema import TAGS, Autoname, text
from localcloud.provider.tags import from_pairs, pairs, retag


class Topic(Resource):
    """The id is the ARN."""

    token = "aws:sns/topic:Topic"
    inputs = {
        "name": text(
            length(1, 256),
            matches(r"[\w-]+", "consist of letters, digits, _ and -"),
            replace=True,
            computed=True,
            autoname=Autoname(),
        ),
        "displayName": text(length(0, 100)),
        **TAGS,
    }
    outputs = ("arn", "owner")

    def create(self, call: Call, args: Args) -> str:
        attributes = {"DisplayName": args["displayName"]} if args.get("displayName") else {}
        made = call.client("sns").create_topic(Name=args["name"], Attributes=attributes, Tags=pairs(args["tagsAll"]))
        return str(made["TopicArn"])

    def read(self, call: Call, id: str, state: State) -> dict[str, Any] | None:
        client = call.client("sns")
        attributes = client.get_topic_attributes(TopicArn=id)["Attributes"]
        return {
            "arn": id,
            "name": id.rsplit(":", 1)[-1],
            "displayName": attributes.get("DisplayName") or None,
            "owner": attributes.get("Owner"),
            "tagsAll": from_pairs(client.list_tags_for_resource(ResourceArn=id)["Tags"]),
        }

    def update(self, call: Call, id: str, old: State, new: Args, changed: frozenset[str]) -> None:
        client = call.client("sns")
        if "displayName" in changed:
            name = new.get("displayName") or ""
            client.set_topic_attributes(TopicArn=id, AttributeName="DisplayName", AttributeValue=name)
        retag(
            old,
            new,
            lambda keys: client.untag_resource(ResourceArn=id, TagKeys=keys),
            lambda tags: client.tag_resource(ResourceArn=id, Tags=tags),
        )

    def delete(self, call: Call, id: str, state: State) -> None:
        call.client("sns").delete_topic(TopicArn=id)


class TopicSubscription(Resource):
    """An address is asked to confirm first; here nobody writes to it."""

    token = "aws:sns/topicSubscription:TopicSubscription"
    inputs = {
        "topic": text(arn("sns"), required=True, replace=True),
        "protocol": text(one_of("email", "email-json", "https", "http", "sms", "sqs"), required=True, replace=True),
        "endpoint": text(length(1, 2048), required=True, replace=True),
    }
    outputs = ("arn", "ownerId")

    def create(self, call: Call, args: Args) -> str:
        made = call.client("sns").subscribe(
            TopicArn=args["topic"], Protocol=args["protocol"], Endpoint=args["endpoint"], ReturnSubscriptionArn=True
        )
        return str(made["SubscriptionArn"])

    def read(self, call: Call, id: str, state: State) -> dict[str, Any] | None:
        found = call.client("sns").get_subscription_attributes(SubscriptionArn=id)["Attributes"]
        return {
            "arn": id,
            "topic": found["TopicArn"],
            "protocol": found["Protocol"],
            "endpoint": found["Endpoint"],
            "ownerId": found.get("Owner"),
        }

    def delete(self, call: Call, id: str, state: State) -> None:
        call.client("sns").unsubscribe(SubscriptionArn=id)


RESOURCES = (Topic, TopicSubscription)
