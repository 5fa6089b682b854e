"""Listeners and their rules, and how they change under traffic."""

import http.client
import socket
import ssl
from collections.abc import Callable
from dataclasses import replace
from ipaddress import IPv4Network

import pytest

from localcloud.database.ca import ca_path, issue
from localcloud.model import Action, ListenerRule
from tests.machines.balancer_stage import NEEDS, OPEN, A, B, Stage, balancer_stage, load  # noqa: F401
from tests.machines.services import get, who
from tests.worlds import BALANCER, DEFAULT_RULE, FORWARD, GROUP, LISTENER

pytestmark = NEEDS


def test_what_no_rule_forwards_gets_the_default_rules_answer(stage: Stage) -> None:
    assert get(stage.port, "/metrics") == (404, '{"error": "not found"}')


def test_rules_look_at_path_host_method_and_header(stage: Stage) -> None:
    def fixed(status: int) -> Action:
        return Action(kind="fixed-response", status=str(status), content_type="text/plain", body=f"it's {status}\n")

    rules = (
        ListenerRule(arn="1", priority=1, path_patterns=("/p/*/x?",), action=fixed(201)),
        ListenerRule(arn="2", priority=2, host_headers=("*.Example.com",), methods=("POST",), action=fixed(202)),
        ListenerRule(arn="3", priority=3, headers={"X-Kind": ("a*",)}, action=fixed(203)),
        ListenerRule(arn="4", priority=4, source_cidrs=(IPv4Network("192.0.2.0/24"),), action=fixed(204)),
        ListenerRule(
            arn="5",
            priority=5,
            path_patterns=("/old",),
            action=Action(kind="redirect", redirect={"Protocol": "HTTPS", "Port": "443", "StatusCode": "HTTP_301"}),
        ),
        ListenerRule(arn="6", priority=6, path_patterns=("/predict",), action=FORWARD),
        DEFAULT_RULE,
    )
    stage.both_healthy()
    stage.world.balancers = [replace(BALANCER, listeners=(replace(LISTENER, rules=rules),))]
    stage.until(lambda: get(stage.port, "/p/q/x1")[0] == 201, "the new rules")
    assert get(stage.port, "/p/q/x1") == (201, "it's 201\n")
    assert get(stage.port, "/p/q/x12")[0] == 404
    assert get(stage.port, "/any", {"Host": "a.example.com:8080"}, "POST")[0] == 202
    assert get(stage.port, "/any", {"Host": "a.example.com"})[0] == 404
    assert get(stage.port, "/any", {"X-Kind": "abc"})[0] == 203
    assert get(stage.port, "/old?a=1")[0] == 301
    assert who(stage.port) in ("a", "b"), "a target that was healthy serves from the first moment of the hand-over"


def test_a_change_of_rules_costs_no_request_on_kept_connections(stage: Stage) -> None:
    stage.both_healthy()
    with load(stage.port) as seen:
        for status in ("410", "451", "404"):
            action = replace(DEFAULT_RULE.action, status=status)
            rules = (*LISTENER.rules[:-1], replace(DEFAULT_RULE, action=action))
            stage.world.balancers = [replace(BALANCER, listeners=(replace(LISTENER, rules=rules),))]
            stage.until(lambda status=status: get(stage.port, "/x")[0] == int(status), "the rule")  # type: ignore[misc]
    assert set(seen) == {"200"}, f"{len(seen)} requests"


def test_a_taken_port_gives_the_next_free_one(stage: Stage) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        listener = replace(LISTENER, port=port)
        stage.world.balancers = [replace(BALANCER, listeners=(listener,))]
        stage.until(lambda: str(port) in stage.controller.published, "the listener to be published")
        assert stage.controller.published[str(port)] > port


def test_who_is_not_let_in_by_the_security_group_gets_no_answer(stage: Stage) -> None:
    stage.world.groups = [replace(OPEN, rules=())]
    stage.controller.reconcile()
    with pytest.raises(OSError, match=r"reset|timed out"):
        get(stage.port, "/")
    stage.world.groups = [OPEN]
    stage.controller.reconcile()
    assert get(stage.port, "/")[0] == 404


def test_a_removed_listener_refuses_connections(stage: Stage) -> None:
    port = stage.port
    stage.world.balancers = [replace(BALANCER, listeners=())]
    stage.controller.reconcile()
    assert stage.controller.published == {}
    with pytest.raises(ConnectionRefusedError):
        get(port, "/")


def test_traffic_is_split_by_weight_and_a_new_group_is_served_after_the_hand_over(stage: Stage) -> None:
    stage.both_healthy()
    other = replace(GROUP, arn="arn:other", name="other")
    stage.world.targets = [replace(GROUP, targets=(A,)), replace(other, targets=(B,))]
    action = Action(kind="forward", weights={GROUP.arn: 1, "arn:other": 1})
    rules = (ListenerRule(arn="1", priority=1, path_patterns=("/predict",), action=action), DEFAULT_RULE)
    stage.world.balancers = [replace(BALANCER, listeners=(replace(LISTENER, rules=rules),))]
    stage.until(lambda: {who(stage.port) for _ in range(12)} == {"a", "b"}, "both groups to get requests")


def test_https_uses_the_certificate_and_its_minimum_version(stage: Stage) -> None:
    certificate, key = issue(stage.lab.state, "localhost")
    chain = ca_path(stage.lab.state).read_text()
    stage.world.certificates["arn:acm/1"] = (certificate.decode(), key.decode(), chain)
    listener = replace(
        LISTENER,
        port=8443,
        protocol="HTTPS",
        certificate_arns=("arn:acm/1",),
        ssl_policy="ELBSecurityPolicy-TLS13-1-2-2021-06",
    )
    stage.world.balancers = [replace(BALANCER, listeners=(listener,))]
    trust = ssl.create_default_context(cadata=chain)

    def answer() -> int:
        connection = http.client.HTTPSConnection("localhost", stage.port, timeout=3, context=trust)
        connection.request("GET", "/nothing")
        return connection.getresponse().status

    stage.until(lambda: "8443" in stage.controller.published, "the listener")
    stage.until(lambda: _or_zero(answer) == 404, "an answer over TLS")
    old = ssl.create_default_context(cadata=chain)
    old.maximum_version = ssl.TLSVersion.TLSv1_1
    trust = old
    with pytest.raises(ssl.SSLError):
        answer()


def _or_zero(ask: Callable[[], int]) -> int:
    try:
        return ask()
    except OSError:
        return 0
