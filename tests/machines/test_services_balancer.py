"""HAProxy as an Application Load Balancer, between real sockets: the host's loopback and two targets on the bridge."""

import http.client
import json
import os
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Network

import pytest

from localcloud.balancer import BalancerController
from localcloud.database.ca import ca_path, issue
from localcloud.image import Image
from localcloud.model import Action, ListenerRule, Rule, SecurityGroup, Target
from tests.machines.services import Backend, Lab, eventually, get, lab, who
from tests.worlds import BALANCER, DEFAULT_RULE, FORWARD, GROUP, LISTENER, FakeWorld, a_target

pytestmark = pytest.mark.skipif(os.geteuid() != 0 or not Image().ready, reason="needs root and the local image")

OPEN = SecurityGroup(
    id="sg-0web",
    vpc_id="vpc-0a",
    rules=(Rule(direction="ingress", protocol="tcp", port_from=1, port_to=65535, cidr=IPv4Network("127.0.0.0/8")),),
)
A, B = a_target("i-0a", "10.0.1.11"), a_target("i-0b", "10.0.1.12")


@dataclass
class Stage:
    lab: Lab
    world: FakeWorld
    controller: BalancerController
    a: Backend
    b: Backend

    @property
    def port(self) -> int:
        return next(iter(self.controller.published.values()))

    def until(self, check: Callable[[], bool], what: str, seconds: float = 15) -> float:
        return eventually(check, what, self.controller.reconcile, seconds)

    def health(self, target: Target) -> str:
        return self.world.health.get(target.id, ("", ""))[0]

    def register(self, *targets: Target) -> None:
        self.world.targets = [replace(GROUP, targets=targets)]

    def both_healthy(self) -> None:
        self.register(A, B)
        self.until(lambda: self.health(A) == self.health(B) == "healthy", f"two healthy targets: {self.world.health}")


@pytest.fixture
def stage() -> Iterator[Stage]:
    with lab() as found:
        world = FakeWorld()
        world.groups = [OPEN]
        world.balancers = [BALANCER]
        world.targets = [GROUP]
        a = found.serve("a", "10.0.1.11/24")
        b = found.serve("b", "10.0.1.12/24")
        controller = BalancerController(world, found.network, Image(), found.state)
        try:
            stage = Stage(found, world, controller, a, b)
            stage.until(
                lambda: bool(controller.published) and get(stage.port, "/")[0] == 404, "a balancer that answers"
            )
            yield stage
        finally:
            controller.stop()
            print(found.state.log("balancer").read_text())


def test_targets_come_in_by_their_first_good_check_and_share_the_load(stage: Stage) -> None:
    stage.both_healthy()
    assert {who(stage.port) for _ in range(8)} == {"a", "b"}


def test_a_group_without_targets_answers_503(stage: Stage) -> None:
    assert get(stage.port, "/predict")[0] == 503


def test_what_no_rule_forwards_gets_the_default_rules_answer(stage: Stage) -> None:
    assert get(stage.port, "/metrics") == (404, '{"error": "not found"}')


def test_a_target_sees_the_balancers_address_and_who_asked(stage: Stage) -> None:
    stage.both_healthy()
    sent = {"X-Forwarded-For": "192.0.2.1", "bad_header": "x", "Good-Header": "y"}
    seen = json.loads(get(stage.port, "/predict", sent)[1])
    headers = {name.lower(): value for name, value in seen["headers"]}
    assert seen["client"] in {"10.0.1.9", "10.0.2.9"}
    assert headers["x-forwarded-for"] == "192.0.2.1, 127.0.0.1"
    assert (headers["x-forwarded-proto"], headers["x-forwarded-port"]) == ("http", "8080")
    assert "bad_header" not in headers
    assert "x-amzn-trace-id" in headers


def test_a_target_that_fails_its_checks_gets_nothing_and_comes_back_after_its_threshold(stage: Stage) -> None:
    stage.both_healthy()
    stage.a.ready.write_text("503")
    stage.until(lambda: stage.health(A) == "unhealthy", "the failing target to be unhealthy")
    assert stage.world.health[A.id][1] == "Target.ResponseCodeMismatch"
    assert {who(stage.port) for _ in range(8)} == {"b"}
    stage.a.ready.write_text("200")
    stage.until(lambda: stage.health(A) == "healthy", "the mended target to be healthy")
    assert {who(stage.port) for _ in range(8)} == {"a", "b"}


def test_when_all_targets_are_unhealthy_all_of_them_get_requests(stage: Stage) -> None:
    stage.both_healthy()
    for each in (stage.a, stage.b):
        each.ready.write_text("500")
    stage.until(lambda: stage.health(A) == stage.health(B) == "unhealthy", "both targets to be unhealthy")
    assert {who(stage.port) for _ in range(8)} == {"a", "b"}


def test_a_deregistered_target_ends_what_it_began_and_gets_nothing_new(stage: Stage) -> None:
    stage.both_healthy()
    answers: list[tuple[int, str]] = []
    threads = [threading.Thread(target=lambda: answers.append(get(stage.port, "/predict?sleep=2"))) for _ in range(4)]
    for thread in threads:
        thread.start()
    time.sleep(0.3)
    stage.register(replace(A, draining_until=datetime.now(UTC) + timedelta(seconds=30)), B)
    stage.controller.reconcile()
    assert {who(stage.port) for _ in range(8)} == {"b"}
    assert stage.world.health[A.id] == ("draining", "Target.DeregistrationInProgress")
    took = stage.until(lambda: stage.health(A) == "unused", "the drained target to be gone")
    for thread in threads:
        thread.join()
    assert [status for status, _ in answers] == [200] * 4, "a request in flight was cut off"
    assert took < 10, "it left with its last request, long before the deregistration delay"
    stage.both_healthy()


def test_a_request_that_a_target_drops_is_not_tried_again(stage: Stage) -> None:
    stage.both_healthy()
    assert [get(stage.port, "/predict?die=1")[0] for _ in range(4)] == [502] * 4


def test_a_dead_target_costs_a_502_until_its_checks_have_failed(stage: Stage) -> None:
    stage.both_healthy()
    stage.a.process.terminate(1)
    seen = [get(stage.port, "/predict")[0] for _ in range(2)]
    assert sorted(seen) == [200, 502]
    stage.until(lambda: stage.health(A) == "unhealthy", "the dead target to be unhealthy")
    assert stage.world.health[A.id][1] == "Target.FailedHealthChecks"


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


def test_a_change_of_rules_refuses_no_connection(stage: Stage) -> None:
    stage.both_healthy()
    seen: list[int] = []
    done = threading.Event()

    def load() -> None:
        while not done.is_set():
            seen.append(get(stage.port, "/predict")[0])

    thread = threading.Thread(target=load)
    thread.start()
    for status in ("410", "451", "404"):
        action = replace(DEFAULT_RULE.action, status=status)
        rules = (*LISTENER.rules[:-1], replace(DEFAULT_RULE, action=action))
        stage.world.balancers = [replace(BALANCER, listeners=(replace(LISTENER, rules=rules),))]
        stage.until(lambda status=status: get(stage.port, "/x")[0] == int(status), "the changed rule")  # type: ignore[misc]
    done.set()
    thread.join()
    assert set(seen) == {200}, f"{len(seen)} requests"


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


def test_a_killed_haproxy_is_started_again(stage: Stage) -> None:
    stage.both_healthy()
    (running,) = [b._current for b in stage.controller._balancers.values()]
    assert running is not None
    assert running._process is not None
    running._process.terminate(1)
    stage.until(lambda: who(stage.port) in ("a", "b"), "another HAProxy")


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
