"""A job from its 202 to its end, and each way in which it is refused, on real services with the real model server."""

import json
import os
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

import pytest

from jobs import broker, config, ids
from jobs.publisher import Channel
from tests.machines import jobs_models
from tests.machines.jobs_stage import START_SECONDS, Stage, stage
from tests.waiting import until

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")

LARGE = 9_000  # rows: some 70 KiB of answer
QUEUE = 40
V2 = json.dumps(
    {
        "inputs": [
            {"name": "x", "shape": [2], "datatype": "FP64", "data": [1.5, 2.0]},
            {"name": "seconds", "shape": [2], "datatype": "FP64", "data": [0, 0]},
        ]
    }
).encode()


@pytest.fixture(scope="module")
def on_stage() -> Iterator[Stage]:
    with stage(attempts=2, queue=QUEUE) as found:
        found.accept()
        yield found


@pytest.fixture
def idle(on_stage: Stage) -> Iterator[Stage]:
    """Jobs are accepted, and nobody works on them."""
    yield on_stage
    on_stage.sql("DELETE FROM jobs")


@pytest.fixture
def busy(idle: Stage) -> Iterator[Stage]:
    """One worker works."""
    worker = idle.work()
    yield idle
    worker.terminate(20)


def test_an_accepted_job_is_answered_with_the_model_servers_own_answer(busy: Stage) -> None:
    status, answer, headers = busy.ask(
        "POST", "/predict?async=true", jobs_models.rows([1.5]), {"X-Request-Id": "asked-by-me"}
    )
    assert (status, answer["state"], headers["Location"]) == (202, "queued", f"/jobs/{answer['id']}")
    assert (headers["X-Request-Id"], headers["Retry-After"]) == ("asked-by-me", "1")
    done = busy.until_state(answer["id"], "succeeded")
    assert done["result"] == {"predictions": [3.0]}
    assert (done["model"], done["attempts"], done["request_id"]) == ("echo/1", 1, "asked-by-me")
    assert done["created"] <= done["started"] <= done["ended"]
    status, result, headers = busy.ask("GET", f"/jobs/{answer['id']}/result")
    assert (status, result, headers["X-Slipway-Model"]) == (200, {"predictions": [3.0]}, "echo/1")
    assert headers["X-Slipway-Deployment"] == done["deployment"]
    assert busy.said("server-a", "asked-by-me") == 1


def test_every_protocol_that_predicts_can_be_asked_later(busy: Stage) -> None:
    bodies = {
        "/v2/models/echo/infer": V2,
        "/invocations": json.dumps({"dataframe_records": [{"x": 1.5, "seconds": 0.0}]}).encode(),
    }
    for path, body in bodies.items():
        status, answer, headers = busy.ask("POST", path, body, {"Prefer": "respond-async"})
        assert (status, headers["Preference-Applied"]) == (202, "respond-async")
        done = busy.until_state(answer["id"], "succeeded", "failed")
        assert done["state"] == "succeeded", done


def test_what_the_model_server_refuses_has_failed_at_once_with_its_words(busy: Stage) -> None:
    _, answer, _ = busy.ask("POST", "/predict?async=true", b'{"y": 1}')
    done = busy.until_state(answer["id"], "failed")
    assert (done["attempts"], done["status"]) == (1, 400)
    assert "unknown field 'y'" in done["error"]["error"]["message"]
    assert busy.ask("GET", f"/jobs/{answer['id']}/result")[0] == 400


def test_a_job_that_the_model_fails_is_given_up_and_is_among_the_dead(busy: Stage) -> None:
    job = busy.submit(666)
    done = busy.until_state(job, "failed")
    assert done["attempts"] == 2
    assert done["reason"].startswith("given up after 2 attempts: the model server answered 500")
    listed = json.loads(admin(busy, "dead"))
    assert [each["id"] for each in listed["jobs"]] == [job]
    assert json.loads(admin(busy, "requeue")) == {"requeued": [job]}
    assert busy.until_state(job, "failed")["attempts"] == 2
    assert json.loads(admin(busy, "drop", job)) == {"dropped": [job]}
    assert json.loads(admin(busy, "dead"))["jobs"] == []


def test_a_message_that_is_not_ours_is_dead_at_once_and_holds_nobody_up(busy: Stage) -> None:
    admin(busy, "drop")
    other = str(ids.new())

    def send() -> None:
        channel = Channel(config.read())
        channel._stack = "another stack"
        channel.publish([UUID(other)])
        producer = channel._producer
        for body, headers in ((b"\xff\x00 no json", {}), (b"5", {"task": broker.TASK, "id": "x"}), (b"[]", {})):
            producer.publish(
                body,
                exchange=broker.NAME,
                routing_key=broker.NAME,
                headers=headers,
                content_type="application/json",
                content_encoding="utf-8",
            )
        channel._connection.release()

    busy.inside(send)
    assert busy.until_state(busy.submit(2), "succeeded")["result"] == {"predictions": [4.0]}
    foreign = until(lambda: found if len(found := json.loads(admin(busy, "dead"))["foreign"]) == 4 else None, "four")
    assert any(other in each["body"] for each in foreign)
    admin(busy, "drop")
    assert json.loads(admin(busy, "dead"))["foreign"] == []


def test_a_large_body_and_a_large_answer_go_through_the_bucket(busy: Stage) -> None:
    values = [1000.0 + number for number in range(LARGE)]
    _, answer, _ = busy.ask("POST", "/predict?async=true", jobs_models.rows(values))
    done = busy.until_state(answer["id"], "succeeded", "failed")
    assert done["state"] == "succeeded", done.get("reason")
    assert done["result_bytes"] > 65536
    assert "result" not in done
    assert busy.sql("SELECT input IS NULL AND result IS NULL FROM jobs WHERE id = %s", answer["id"]) == [(True,)]
    status, result, _ = busy.ask("GET", f"/jobs/{answer['id']}/result")
    assert (status, result["predictions"]) == (200, [2 * value for value in values])


def test_a_queued_job_that_is_cancelled_never_runs(idle: Stage) -> None:
    job = idle.submit(1)
    assert idle.job(job)["position"] == 0
    assert idle.job(idle.submit(2))["position"] == 1
    assert idle.ask("DELETE", f"/jobs/{job}")[0] == 200
    assert idle.ask("DELETE", f"/jobs/{job}")[0] == 409
    worker = idle.work()
    idle.until_state(idle.submit(3), "succeeded")
    worker.terminate(20)
    assert (idle.job(job)["state"], idle.job(job)["attempts"]) == ("cancelled", 0)
    assert idle.ask("GET", f"/jobs/{job}/result")[0] == 409


def test_the_answer_of_a_running_job_that_is_cancelled_is_thrown_away(busy: Stage) -> None:
    job = busy.submit(1, seconds=2)
    busy.until_state(job, "running")
    assert busy.ask("GET", f"/jobs/{job}/result")[0] == 409
    assert busy.ask("DELETE", f"/jobs/{job}")[0] == 202
    name = f"worker-{len(busy.workers) - 1}"
    until(lambda: busy.said(name, '"state": "discarded"'), "its answer is thrown away")
    assert busy.job(job)["state"] == "cancelled"


def test_the_same_key_is_the_same_job_and_another_request_with_it_is_refused(idle: Stage) -> None:
    key = {"Idempotency-Key": "order 17"}
    with ThreadPoolExecutor(8) as pool:
        found = set(pool.map(lambda _: idle.submit(1, headers=key), range(8)))
    assert len(found) == 1
    status, answer, _ = idle.ask("POST", "/predict?async=true", jobs_models.rows([2]), key)
    assert (status, answer["error"]["code"]) == (422, "IDEMPOTENCY_KEY_REUSED")
    idle.sql("UPDATE jobs SET created = created - interval '25 hours'")
    assert idle.submit(2, headers=key) not in found, "a day later the key is free again"


def test_a_full_queue_says_so_and_takes_jobs_again_once_there_is_room(idle: Stage) -> None:
    def fill() -> bool:
        status, _, headers = idle.ask("POST", "/predict?async=true", jobs_models.rows([1]))
        assert status in (202, 429)
        return status == 429 and int(headers["Retry-After"]) > 0

    until(fill, "the queue is full", turn=lambda: [fill() for _ in range(5)])
    [(queued,)] = idle.sql("SELECT count(*) FROM jobs WHERE state = 'queued'")
    assert QUEUE <= queued <= 3 * QUEUE, "each process counts what the others take a second later"
    idle.sql("DELETE FROM jobs")
    until(lambda: not fill(), "there is room again")


def test_what_is_kept_too_long_is_gone_and_known_to_have_been(busy: Stage) -> None:
    job = busy.submit(1)
    busy.until_state(job, "succeeded")
    busy.sql("UPDATE jobs SET ended = ended - interval '25 hours'")
    until(lambda: not busy.sql("SELECT 1 FROM jobs"), "the sweeper has removed it", 60)
    assert busy.ask("GET", f"/jobs/{job}")[0] == 404, "it is younger than the retention: it could be anybody's"
    old = UUID(int=UUID(job).int - (25 * 3600 * 1000 << 80))
    status, answer, _ = busy.ask("GET", f"/jobs/{old}")
    assert (status, answer["error"]["code"]) == (410, "EXPIRED")


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/jobs/nonsense", 404),
        ("GET", "/jobs/01a1ffc6-04c3-4250-a3e1-db6a5f8016b9", 404),
        ("DELETE", "/jobs/nonsense", 404),
        ("POST", "/metrics?async=true", 404),
        ("PUT", "/predict?async=true", 405),
    ],
)
def test_what_is_no_request_of_jobs_is_refused(idle: Stage, method: str, path: str, status: int) -> None:
    assert idle.ask(method, path, b"{}" if method != "GET" else None)[0] == status


def test_a_body_that_is_too_large_is_refused(idle: Stage) -> None:
    """By what it says of itself: who answers does not wait for it."""
    assert idle.ask("POST", "/predict?async=true", b"", {"Content-Length": str(16_777_216 + 1)})[0] == 413


def admin(found: Stage, *words: str) -> str:
    """What `python -m jobs.admin` prints on the node."""
    name = f"admin-{time.monotonic_ns()}"
    process = found.python("-m", "jobs.admin", *words, name=name)
    assert process.wait(START_SECONDS) == 0, found.log(name).read_text()
    return found.log(name).read_text().splitlines()[-1]
