"""Systems Manager: parameters."""

from collections.abc import Iterable
from typing import Any

from localcloud.provider.call import Call
from localcloud.provider.resource import Args, Resource, State
from localcloud.provider.rules import conflicts, length, matches, one_of
from localcloud.provider.schema import TAGS, Autoname, boolean, text
from localcloud.provider.tags import from_pairs, pairs, retag


class Parameter(Resource):
    """The value is answered by both `value`, which is secret, and `insecureValue`, whichever the program uses."""

    token = "aws:ssm/parameter:Parameter"
    inputs = {
        "name": text(
            length(1, 1011),
            matches(r"[\w./-]+", "consist of letters, digits and ._-/"),
            matches(r"(?!/?(aws|ssm))(?i:.*)", "not begin with aws or ssm"),
            replace=True,
            computed=True,
            autoname=Autoname(),
        ),
        "type": text(one_of("String", "StringList", "SecureString"), required=True),
        "value": text(length(1, 8192), secret=True, computed=True),
        "insecureValue": text(length(1, 8192), computed=True),
        "description": text(length(0, 1024)),
        "allowedPattern": text(length(0, 1024)),
        "dataType": text(one_of("text", "aws:ec2:image"), computed=True, replace=True),
        "tier": text(one_of("Standard", "Advanced", "Intelligent-Tiering"), computed=True),
        "keyId": text(computed=True),
        "overwrite": boolean(local=True),
        **TAGS,
    }
    outputs = ("arn", "version")
    volatile = ("version",)

    def check(self, args: Args) -> Iterable[tuple[str, str]]:
        yield from conflicts(dict(args), ("value", "insecureValue"))
        if args.get("value") is None and args.get("insecureValue") is None:
            yield "value", "either this or insecureValue is needed"

    def create(self, call: Call, args: Args) -> str:
        self._put(call, args, overwrite=bool(args.get("overwrite")), tags=pairs(args["tagsAll"]))
        return str(args["name"])

    def read(self, call: Call, id: str, state: State) -> dict[str, Any] | None:
        client = call.client("ssm")
        found = client.get_parameter(Name=id, WithDecryption=True)["Parameter"]
        filters = [{"Key": "Name", "Option": "Equals", "Values": [id]}]
        about = client.describe_parameters(ParameterFilters=filters)["Parameters"][0]
        tags = client.list_tags_for_resource(ResourceType="Parameter", ResourceId=id)["TagList"]
        plain = "insecureValue" if state.get("insecureValue") is not None else "value"
        return {
            "arn": found.get("ARN") or f"arn:aws:ssm:{call.region}:{call.account}:parameter/{id.lstrip('/')}",
            "version": found["Version"],
            "name": found["Name"],
            "type": found["Type"],
            plain: found["Value"],
            "description": about.get("Description"),
            "allowedPattern": about.get("AllowedPattern"),
            "dataType": found.get("DataType") or "text",
            "tier": about.get("Tier") or "Standard",
            "keyId": about.get("KeyId"),
            "tagsAll": from_pairs(tags),
        }

    def update(self, call: Call, id: str, old: State, new: Args, changed: frozenset[str]) -> None:
        if changed - {"tags", "tagsAll", "overwrite"}:
            self._put(call, new, overwrite=True)
        client, which = call.client("ssm"), {"ResourceType": "Parameter", "ResourceId": id}
        retag(
            old,
            new,
            lambda keys: client.remove_tags_from_resource(**which, TagKeys=keys),
            lambda tags: client.add_tags_to_resource(**which, Tags=tags),
        )

    def _put(self, call: Call, args: Args, *, overwrite: bool, tags: list[dict[str, str]] | None = None) -> None:
        """SSM takes tags only for a parameter that does not exist yet."""
        value = args.get("value") if args.get("value") is not None else args.get("insecureValue")
        optional = {
            "Description": args.get("description"),
            "AllowedPattern": args.get("allowedPattern"),
            "DataType": args.get("dataType"),
            "Tier": args.get("tier"),
            "KeyId": args.get("keyId"),
            "Tags": None if overwrite else tags,
        }
        call.client("ssm").put_parameter(
            Name=args["name"],
            Type=args["type"],
            Value=value,
            Overwrite=overwrite,
            **{key: given for key, given in optional.items() if given},
        )

    def delete(self, call: Call, id: str, state: State) -> None:
        call.client("ssm").delete_parameter(Name=id)


RESOURCES = (Parameter,)
