"""Listeners: a port of a balancer, its certificate and TLS policy, and what happens when no rule matches."""

from collections.abc import Iterable
from typing import Any

from localcloud.provider.call import Call
from localcloud.provider.resource import Args, Resource, State
from localcloud.provider.rules import arn, between, one_of
from localcloud.provider.schema import TAGS, Fields, boolean, integer, text
from localcloud.provider.types.lb.common import (
    Attributes,
    action_problems,
    actions_field,
    actions_in,
    actions_out,
    retag,
    tagged,
    tags,
)

HEADERS: Fields = {"routingHttpResponseServerEnabled": boolean(computed=True)}
KEYS = {"routingHttpResponseServerEnabled": "routing.http.response.server.enabled"}
ATTRIBUTES = Attributes(KEYS, HEADERS)


class Listener(Resource):
    token = "aws:lb/listener:Listener"
    inputs = {
        "loadBalancerArn": text(arn("elasticloadbalancing"), required=True, replace=True),
        "port": integer(between(1, 65535)),
        "protocol": text(one_of("HTTP", "HTTPS"), computed=True),
        "sslPolicy": text(computed=True),
        "certificateArn": text(arn()),
        "defaultActions": actions_field(),
        **HEADERS,
        **TAGS,
    }
    outputs = ("arn",)

    def check(self, args: Args) -> Iterable[tuple[str, str]]:
        yield from action_problems("defaultActions", args["defaultActions"])
        if args.get("port") is None:
            yield "port", "a listener of an application load balancer needs it"
        secure = args.get("protocol") == "HTTPS"
        if secure and args.get("certificateArn") is None:
            yield "certificateArn", "an HTTPS listener needs a certificate"
        if args.get("protocol", "HTTP") == "HTTP":
            for name in ("certificateArn", "sslPolicy"):
                if args.get(name) is not None:
                    yield name, "an HTTP listener has none"

    def _what(self, args: Args) -> dict[str, Any]:
        optional = {
            "Port": args.get("port"),
            "Protocol": args.get("protocol"),
            "SslPolicy": args.get("sslPolicy"),
            "Certificates": [{"CertificateArn": args["certificateArn"]}] if args.get("certificateArn") else None,
            "DefaultActions": actions_out(args["defaultActions"]),
        }
        return {key: value for key, value in optional.items() if value is not None}

    def create(self, call: Call, args: Args) -> str:
        client = call.client("elbv2")
        what = {"Protocol": "HTTP", **self._what(args), **tagged(args)}
        made = call.retry(
            lambda: client.create_listener(LoadBalancerArn=args["loadBalancerArn"], **what),
            ("CertificateNotFound",),
            "the certificate is new",
            300,
        )
        return str(made["Listeners"][0]["ListenerArn"])

    def configure(self, call: Call, id: str, args: Args) -> None:
        if not any(args.get(name) is not None for name in HEADERS):
            return
        client = call.client("elbv2")
        have = client.describe_listener_attributes(ListenerArn=id)["Attributes"]
        wanted = ATTRIBUTES.differing(have, args)
        if wanted:
            client.modify_listener_attributes(ListenerArn=id, Attributes=wanted)

    def read(self, call: Call, id: str, state: State) -> dict[str, Any] | None:
        client = call.client("elbv2")
        listener = client.describe_listeners(ListenerArns=[id])["Listeners"][0]
        certificates = listener.get("Certificates") or [{}]
        asked = any(state.get(name) is not None for name in HEADERS)
        have = client.describe_listener_attributes(ListenerArn=id)["Attributes"] if asked else []
        return {
            **(ATTRIBUTES.read(have) if asked else {}),
            "arn": id,
            "loadBalancerArn": listener["LoadBalancerArn"],
            "port": listener.get("Port"),
            "protocol": listener.get("Protocol"),
            "sslPolicy": listener.get("SslPolicy") or None,
            "certificateArn": certificates[0].get("CertificateArn"),
            "defaultActions": actions_in(listener["DefaultActions"]),
            "tagsAll": tags(call, id),
        }

    def update(self, call: Call, id: str, old: State, new: Args, changed: frozenset[str]) -> None:
        if changed & {"port", "protocol", "sslPolicy", "certificateArn", "defaultActions"}:
            call.client("elbv2").modify_listener(ListenerArn=id, **self._what(new))
        self.configure(call, id, new)
        retag(call, id, old, new)

    def delete(self, call: Call, id: str, state: State) -> None:
        call.client("elbv2").delete_listener(ListenerArn=id)


class ListenerCertificate(Resource):
    token = "aws:lb/listenerCertificate:ListenerCertificate"
    inputs = {
        "listenerArn": text(arn("elasticloadbalancing"), required=True, replace=True),
        "certificateArn": text(arn(), required=True, replace=True),
    }

    def create(self, call: Call, args: Args) -> str:
        client = call.client("elbv2")
        what = {"ListenerArn": args["listenerArn"], "Certificates": [{"CertificateArn": args["certificateArn"]}]}
        call.retry(
            lambda: client.add_listener_certificates(**what), ("CertificateNotFound",), "the certificate is new", 300
        )
        return f"{args['listenerArn']}_{args['certificateArn']}"

    def read(self, call: Call, id: str, state: State) -> dict[str, Any] | None:
        listener, certificate = id.split("_", 1)
        pages = call.client("elbv2").get_paginator("describe_listener_certificates").paginate(ListenerArn=listener)
        attached = {each["CertificateArn"] for page in pages for each in page["Certificates"]}
        return {"listenerArn": listener, "certificateArn": certificate} if certificate in attached else None

    def update(self, call: Call, id: str, old: State, new: Args, changed: frozenset[str]) -> None:
        """Every input replaces."""

    def delete(self, call: Call, id: str, state: State) -> None:
        listener, certificate = id.split("_", 1)
        call.client("elbv2").remove_listener_certificates(
            ListenerArn=listener, Certificates=[{"CertificateArn": certificate}]
        )
