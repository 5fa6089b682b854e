"""DNS records: plain ones, and aliases of AWS's own names."""

from collections.abc import Iterable
from typing import Any

from localcloud.provider.call import Call
from localcloud.provider.errors import gone
from localcloud.provider.resource import Args, Resource, State
from localcloud.provider.rules import between, conflicts, length, one_of
from localcloud.provider.schema import blocks, boolean, integer, text, texts

KINDS = ("A", "AAAA", "CAA", "CNAME", "MX", "NAPTR", "NS", "PTR", "SOA", "SPF", "SRV", "TXT", "DS", "HTTPS", "SVCB")
SYNC_SECONDS = 1800


def _same_host(one: str, other: str) -> bool:
    return one.rstrip(".").lower() == other.rstrip(".").lower()


ALIAS = {
    "name": text(required=True, equal=_same_host),
    "zoneId": text(required=True),
    "evaluateTargetHealth": boolean(required=True),
}


class Record(Resource):
    token = "aws:route53/record:Record"
    regional = False
    inputs = {
        "zoneId": text(length(1, 32), required=True, replace=True),
        "name": text(length(0, 1024), required=True, replace=True, equal=_same_host),
        "type": text(one_of(*KINDS), required=True, replace=True),
        "ttl": integer(between(0, 2147483647)),
        "records": texts(unordered=True),
        "aliases": blocks(ALIAS),
        "allowOverwrite": boolean(default=False, local=True),
    }
    outputs = ("fqdn",)

    def check(self, args: Args) -> Iterable[tuple[str, str]]:
        yield from conflicts(dict(args), ("records", "aliases"))
        yield from conflicts(dict(args), ("ttl", "aliases"))
        if args.get("records") is None and args.get("aliases") is None:
            yield "records", "a record needs values, or an alias"
        if args.get("records") is not None and args.get("ttl") is None:
            yield "ttl", "a record with values needs it"

    def create(self, call: Call, args: Args) -> str:
        fqdn = _expand(call, args["zoneId"], args["name"])
        self._change(call, "UPSERT" if args["allowOverwrite"] else "CREATE", args, _record(args, fqdn))
        return f"{args['zoneId']}_{args['name']}_{args['type']}"

    def _change(self, call: Call, action: str, args: Args, record: dict[str, Any]) -> None:
        client = call.client("route53")
        batch = {"Changes": [{"Action": action, "ResourceRecordSet": record}]}
        made = client.change_resource_record_sets(HostedZoneId=args["zoneId"], ChangeBatch=batch)
        change = made["ChangeInfo"]["Id"]

        def in_sync() -> bool | None:
            status = client.get_change(Id=change)["ChangeInfo"]["Status"]
            call.progress(status)
            return status == "INSYNC" or None

        call.wait(in_sync, "Route 53's servers to know the record", SYNC_SECONDS)

    def _find(self, call: Call, state: State) -> dict[str, Any] | None:
        fqdn = _expand(call, state["zoneId"], state["name"])
        answer = call.client("route53").list_resource_record_sets(
            HostedZoneId=state["zoneId"], StartRecordName=fqdn, StartRecordType=state["type"], MaxItems="1"
        )
        for found in answer["ResourceRecordSets"]:
            if _same_host(_plain(found["Name"]), fqdn) and found["Type"] == state["type"]:
                return dict(found)
        return None

    def read(self, call: Call, id: str, state: State) -> dict[str, Any] | None:
        if "zoneId" not in state:  # an import says zone_name_TYPE
            zone, rest = id.split("_", 1)
            name, kind = rest.rsplit("_", 1)
            state = {"zoneId": zone, "name": name, "type": kind}
        found = self._find(call, state)
        if found is None:
            return None
        alias = found.get("AliasTarget")
        target = alias and {
            "name": alias["DNSName"].rstrip("."),
            "zoneId": alias["HostedZoneId"],
            "evaluateTargetHealth": alias["EvaluateTargetHealth"],
        }
        return {
            "zoneId": state["zoneId"],
            "name": state["name"],
            "type": found["Type"],
            "ttl": found.get("TTL"),
            "records": [_unquoted(found["Type"], each["Value"]) for each in found.get("ResourceRecords") or []],
            "aliases": [target] if target else [],
            "fqdn": _plain(found["Name"]).rstrip("."),
        }

    def update(self, call: Call, id: str, old: State, new: Args, changed: frozenset[str]) -> None:
        if changed - {"allowOverwrite"}:
            self._change(call, "UPSERT", new, _record(new, _expand(call, new["zoneId"], new["name"])))

    def delete(self, call: Call, id: str, state: State) -> None:
        try:
            found = self._find(call, state)
        except Exception as error:
            if gone(error):
                return
            raise
        if found is not None:
            self._change(call, "DELETE", state, found)


def _expand(call: Call, zone: str, name: str) -> str:
    """A name within its zone, in full: `www` in `example.com` is `www.example.com`."""
    apex = str(call.client("route53").get_hosted_zone(Id=zone)["HostedZone"]["Name"]).rstrip(".").lower()
    name = name.rstrip(".").lower()
    return name if name == apex or name.endswith(f".{apex}") else f"{name}.{apex}" if name else apex


def _record(args: Args, fqdn: str) -> dict[str, Any]:
    record: dict[str, Any] = {"Name": fqdn, "Type": args["type"]}
    if args.get("aliases"):
        alias = args["aliases"][0]
        return record | {
            "AliasTarget": {
                "DNSName": alias["name"],
                "HostedZoneId": alias["zoneId"],
                "EvaluateTargetHealth": alias["evaluateTargetHealth"],
            }
        }
    values = [_quoted(args["type"], value) for value in args["records"]]
    return record | {"TTL": args["ttl"], "ResourceRecords": [{"Value": value} for value in values]}


def _quoted(kind: str, value: str) -> str:
    return f'"{value}"' if kind in ("TXT", "SPF") and not value.startswith('"') else value


def _unquoted(kind: str, value: str) -> str:
    return value[1:-1] if kind in ("TXT", "SPF") and value.startswith('"') else value


def _plain(name: str) -> str:
    return name.replace("\\052", "*")


RESOURCES = (Record,)
