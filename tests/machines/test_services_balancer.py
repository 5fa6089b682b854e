"""Health, draining and failures of targets, as an Application Load Balancer treats them."""

import json
import threading
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from tests.machines.balancer_stage import NEEDS, OPEN, A, B, Stage, balancer_stage, load  # noqa: F401
from tests.machines.services import get, who

pytestmark = NEEDS


def test_targets_come_in_by_their_first_good_check_and_share_the_load(stage: Stage) -> None:
    stage.both_healthy()
    assert {who(stage.port) for _ in range(8)} == {"a", "b"}


def test_a_group_without_targets_answers_503(stage: Stage) -> None:
    assert get(stage.port, "/predict")[0] == 503


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


def test_a_target_that_leaves_and_comes_back_costs_no_request(stage: Stage) -> None:
    stage.both_healthy()
    with load(stage.port) as seen:
        for _ in range(3):
            stage.register(replace(A, draining_until=datetime.now(UTC) + timedelta(seconds=10)), B)
            stage.until(lambda: stage.health(A) == "unused", "the drain")
            stage.both_healthy()
    assert set(seen) == {"200"}, f"{len(seen)} requests"


def test_a_killed_haproxy_is_started_again(stage: Stage) -> None:
    stage.both_healthy()
    (running,) = [b._current for b in stage.controller._balancers.values()]
    assert running is not None
    assert running._process is not None
    running._process.terminate(1)
    stage.until(lambda: who(stage.port) in ("a", "b"), "another HAProxy")
