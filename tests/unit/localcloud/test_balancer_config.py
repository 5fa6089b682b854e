"""The whole configuration, and what HAProxy is told of targets."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from localcloud.balancer.config import render, used_groups
from localcloud.balancer.controller import admitted
from localcloud.balancer.names import server_name
from localcloud.balancer.runtime import Row, parse
from localcloud.balancer.targets import Group, Watch, by_name
from localcloud.model import Rule, SecurityGroup, Target
from tests.worlds import BALANCER, GROUP, GROUP_ARN, LISTENER, a_target

GROUPS = {GROUP_ARN: GROUP}
NOW = datetime(2026, 1, 1, tzinfo=UTC)
A = a_target("i-0a", "10.0.1.11")
NAME = server_name(A)


def text() -> str:
    return render(BALANCER, GROUPS, {8080: 7}, {}, admin=8).config


def row(status: str, check: str, *, backend: str = "healthy-fleet", sessions: int = 0) -> Row:
    return Row(backend, NAME, "10.0.1.11:8080", status, check, "", sessions)


def turn(target: Target, *rows: Row, watch: Watch | None = None, now: float = 0) -> Group:
    group = replace(GROUP, targets=(target,))
    return Group(BALANCER, group, by_name(rows), {NAME: watch} if watch else {}, now, NOW)


def test_the_balancer_never_tries_a_request_twice_and_keeps_connections_as_long_as_an_alb() -> None:
    for line in ("retries 0", "no option redispatch", "http-reuse always", "timeout client 60s", "timeout server 60s"):
        assert f"  {line}\n" in text()


def test_health_checks_are_the_target_groups() -> None:
    assert "  http-check send meth GET uri '/readyz' ver HTTP/1.1 hdr Host fleet" in text()
    assert "  http-check expect status 200\n" in text()
    assert "  timeout check 1s\n" in text()


def test_targets_do_not_change_the_text() -> None:
    with_targets = {GROUP_ARN: replace(GROUP, targets=(A,))}
    assert (
        render(BALANCER, with_targets, {8080: 7}, {}, admin=8).digest
        == render(BALANCER, GROUPS, {8080: 7}, {}, admin=8).digest
    )


def test_warm_targets_serve_from_the_first_moment() -> None:
    warm = render(BALANCER, GROUPS, {8080: 7}, {}, warm={GROUP_ARN: [A]}).config
    assert warm.count("server i-0a:8080 10.0.1.11:8080 source 10.0.") == 2
    assert "check inter 1s rise 2 fall 2" in warm


def test_a_group_that_no_rule_names_is_left_out() -> None:
    other = replace(GROUP, arn="arn:other", name="other")
    assert used_groups(BALANCER, {**GROUPS, "arn:other": other}) == [GROUP]


def test_a_fixed_body_lies_in_a_file() -> None:
    files = render(BALANCER, GROUPS, {8080: 7}, {})
    assert files.beside["body-8080-1"] == '{"error": "not found"}'
    assert "http-request return status 404 content-type 'application/json' file" in files.config


def test_only_ingress_from_networks_at_the_listeners_port_lets_clients_in() -> None:
    def rule(**changes: object) -> Rule:
        base = Rule(direction="ingress", protocol="tcp", port_from=8080, port_to=8080)
        return replace(base, **changes)  # type: ignore[arg-type]

    from ipaddress import IPv4Network

    rules = (
        rule(cidr=IPv4Network("127.0.0.0/8")),
        rule(cidr=IPv4Network("10.0.0.0/8"), port_from=80, port_to=80),
        rule(cidr=IPv4Network("10.1.0.0/16"), direction="egress"),
        rule(cidr=IPv4Network("10.2.0.0/16"), protocol="udp"),
        rule(group_id="sg-0other"),
    )
    assert admitted(LISTENER, [SecurityGroup(id="sg", vpc_id="vpc", rules=rules)]) == {"127.0.0.0/8"}


def test_a_new_target_comes_with_no_weight_and_marked_down() -> None:
    assert turn(A).plan() == [
        "add server healthy-fleet/i-0a:8080 10.0.1.11:8080 weight 0 source 10.0.2.9 pool-purge-delay 60s "
        "check inter 1s rise 2 fall 2",
        "enable health healthy-fleet/i-0a:8080",
        "enable server healthy-fleet/i-0a:8080",
        "set server healthy-fleet/i-0a:8080 health down",
    ]


def test_its_first_good_check_lets_it_in() -> None:
    group = turn(A, row("DOWN 1/2", "L7OK"), watch=Watch(0))
    assert group.plan()[:2] == [
        "set server healthy-fleet/i-0a:8080 health up",
        "set server healthy-fleet/i-0a:8080 weight 1",
    ]
    assert group.verdict(A) == ("healthy", "")


def test_a_target_that_never_passed_is_new_until_its_threshold_and_unhealthy_then() -> None:
    failing = row("DOWN", "L7STS")
    assert turn(A, failing, watch=Watch(0), now=1).verdict(A) == ("initial", "Elb.InitialHealthChecking")
    assert turn(A, failing, watch=Watch(0), now=9).verdict(A) == ("unhealthy", "Target.ResponseCodeMismatch")


def test_a_recovering_target_is_unhealthy_until_its_threshold() -> None:
    assert turn(A, row("DOWN 1/2", "L7OK"), watch=Watch(0, True)).verdict(A)[0] == "unhealthy"


def test_reasons_are_the_apis() -> None:
    for check, reason in {"L4TOUT": "Target.Timeout", "L4CON": "Target.FailedHealthChecks"}.items():
        assert turn(A, row("DOWN", check), watch=Watch(0, True)).verdict(A) == ("unhealthy", reason)


def test_a_deregistered_target_drains_before_it_is_removed() -> None:
    leaving = replace(A, draining_until=NOW + timedelta(seconds=30))
    assert turn(leaving, row("UP", "L7OK", sessions=1)).plan() == ["set server healthy-fleet/i-0a:8080 state drain"]
    assert turn(leaving, row("DRAIN", "L7OK", sessions=1)).plan() == []
    assert turn(leaving, row("DRAIN", "L7OK")).plan()[-1] == "del server healthy-fleet/i-0a:8080"
    assert turn(leaving).verdict(leaving) == ("unused", "Target.NotRegistered")


def test_when_the_delay_is_over_what_still_runs_is_cut_off() -> None:
    late = replace(A, draining_until=NOW - timedelta(seconds=1))
    plan = turn(late, row("DRAIN", "L7OK", sessions=1)).plan()
    assert "shutdown sessions server healthy-fleet/i-0a:8080" in plan


def test_the_state_of_servers_is_read_from_haproxys_table() -> None:
    table = "# pxname,svname,type,scur,status,check_status,check_code,addr,\n"
    table += "g,i-0a:8080,2,2,UP,* L7OK,200,10.0.1.11:8080,\ng,BACKEND,1,2,UP,,,,\n"
    assert parse(table) == [Row("g", "i-0a:8080", "10.0.1.11:8080", "UP", "L7OK", "200", 2)]
