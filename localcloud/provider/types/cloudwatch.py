"""CloudWatch: alarms on one metric, or on an expression over some."""

from collections.abc import Iterable
from typing import Any

from localcloud.provider.call import Call
from localcloud.provider.resource import Args, Resource, State
from localcloud.provider.rules import arn, between, conflicts, length, matches, one_of
from localcloud.provider.schema import (
    TAGS,
    Autoname,
    Fields,
    block,
    blocks,
    boolean,
    integer,
    mapping,
    number,
    text,
    texts,
)
from localcloud.provider.shape import from_aws, to_aws
from localcloud.provider.tags import from_pairs, pairs, retag

STATISTICS = ("SampleCount", "Average", "Sum", "Minimum", "Maximum")
COMPARISONS = (
    "GreaterThanOrEqualToThreshold",
    "GreaterThanThreshold",
    "LessThanThreshold",
    "LessThanOrEqualToThreshold",
)
METRIC: Fields = {
    "metricName": text(length(1, 255), required=True),
    "namespace": text(length(1, 255)),
    "dimensions": mapping(),
    "period": integer(between(1, 86400), required=True),
    "stat": text(required=True),
}
QUERY: Fields = {
    "id": text(matches(r"[a-z]\w{0,254}", "begin with a lower-case letter"), required=True),
    "expression": text(length(1, 2048)),
    "label": text(),
    "metric": block(METRIC),
    "returnData": boolean(default=False),
}
DIRECT: Fields = {
    "actionsEnabled": boolean(default=True),
    "alarmActions": texts(arn(), unordered=True),
    "okActions": texts(arn(), unordered=True, aws="OKActions"),
    "alarmDescription": text(length(0, 1024)),
    "comparisonOperator": text(one_of(*COMPARISONS), required=True),
    "datapointsToAlarm": integer(between(1, 86400)),
    "evaluationPeriods": integer(between(1, 86400)),
    "metricName": text(length(1, 255)),
    "namespace": text(length(1, 255)),
    "period": integer(between(10, 86400)),
    "statistic": text(one_of(*STATISTICS)),
    "threshold": number(),
    "treatMissingData": text(one_of("missing", "ignore", "breaching", "notBreaching"), default="missing"),
}


class MetricAlarm(Resource):
    token = "aws:cloudwatch/metricAlarm:MetricAlarm"
    inputs = {
        "name": text(length(1, 255), replace=True, computed=True, autoname=Autoname()),
        **DIRECT,
        "dimensions": mapping(),
        "metricQueries": blocks(QUERY, unordered=True),
        **TAGS,
    }
    outputs = ("arn",)

    def check(self, args: Args) -> Iterable[tuple[str, str]]:
        yield from conflicts(dict(args), ("metricQueries", "metricName"))
        if not args.get("metricQueries") and not args.get("metricName"):
            yield "metricName", "either this or metricQueries is needed"
        for name in ("namespace", "period", "statistic"):
            if args.get("metricName") and not args.get(name):
                yield name, "a metric needs it"
        if args.get("evaluationPeriods") is None:
            yield "evaluationPeriods", "an alarm needs it"

    def create(self, call: Call, args: Args) -> str:
        self._put(call, args, Tags=pairs(args["tagsAll"]))
        return str(args["name"])

    def _put(self, call: Call, args: Args, **more: Any) -> None:
        """The whole alarm, each time: what is left out is gone."""
        queries = [_query(query) for query in args.get("metricQueries") or []]
        given = {"Dimensions": _dimensions(args.get("dimensions")), "Metrics": queries}
        call.client("cloudwatch").put_metric_alarm(
            AlarmName=args["name"], **to_aws(DIRECT, args), **{k: v for k, v in given.items() if v}, **more
        )

    def read(self, call: Call, id: str, state: State) -> dict[str, Any] | None:
        client = call.client("cloudwatch")
        found = client.describe_alarms(AlarmNames=[id])["MetricAlarms"]
        if not found:
            return None
        alarm = found[0]
        return {
            **from_aws(DIRECT, alarm),
            "treatMissingData": alarm.get("TreatMissingData") or "missing",
            "name": alarm["AlarmName"],
            "arn": alarm["AlarmArn"],
            "dimensions": _names(alarm.get("Dimensions")),
            "metricQueries": [_block(query) for query in alarm.get("Metrics") or []],
            "tagsAll": from_pairs(client.list_tags_for_resource(ResourceARN=alarm["AlarmArn"])["Tags"]),
        }

    def update(self, call: Call, id: str, old: State, new: Args, changed: frozenset[str]) -> None:
        client = call.client("cloudwatch")
        if changed - {"tags", "tagsAll"}:
            self._put(call, new)
        retag(
            old,
            new,
            lambda keys: client.untag_resource(ResourceARN=old["arn"], TagKeys=keys),
            lambda tags: client.tag_resource(ResourceARN=old["arn"], Tags=tags),
        )

    def delete(self, call: Call, id: str, state: State) -> None:
        call.client("cloudwatch").delete_alarms(AlarmNames=[id])


def _dimensions(names: Any) -> list[dict[str, str]]:
    return [{"Name": name, "Value": value} for name, value in (names or {}).items()]


def _names(dimensions: Any) -> dict[str, str]:
    return {each["Name"]: each["Value"] for each in dimensions or []}


def _query(query: Args) -> dict[str, Any]:
    answer: dict[str, Any] = {"Id": query["id"], "ReturnData": bool(query.get("returnData"))}
    answer |= {name.capitalize(): query[name] for name in ("expression", "label") if query.get(name)}
    if metric := query.get("metric"):
        what = {"MetricName": metric["metricName"], "Dimensions": _dimensions(metric.get("dimensions"))}
        what |= {"Namespace": metric["namespace"]} if metric.get("namespace") else {}
        answer["MetricStat"] = {"Metric": what, "Period": metric["period"], "Stat": metric["stat"]}
    return answer


def _block(query: dict[str, Any]) -> dict[str, Any]:
    answer: dict[str, Any] = {"id": query["Id"], "returnData": bool(query.get("ReturnData"))}
    answer |= {name: query[name.capitalize()] for name in ("expression", "label") if query.get(name.capitalize())}
    if stat := query.get("MetricStat"):
        metric = stat["Metric"]
        answer["metric"] = {
            "metricName": metric["MetricName"],
            "namespace": metric.get("Namespace"),
            "dimensions": _names(metric.get("Dimensions")),
            "period": stat["Period"],
            "stat": stat["Stat"],
        }
    return answer


RESOURCES = (MetricAlarm,)
