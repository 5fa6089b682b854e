"""What of jobs needs no service: ids, requests, documents, fullness, and which messages are ours."""

import json
import os
import time
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID, uuid4

import psycopg
import pytest

from contract import JOBS_EXIT
from jobs import admin, answers, broker, config, ids, requests
from jobs.config import ConfigError
from jobs.errors import BadRequestError
from jobs.fullness import Fullness
from jobs.store import FAR, Job

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def job(**different: object) -> Job:
    facts: dict[str, object] = {
        "id": UUID("01a1ffc6-04c3-7250-a3e1-db6a5f8016b9"),
        "state": "queued",
        "target": "/predict",
        "request_id": "r",
        "created": NOW,
        "started": None,
        "ended": None,
        "attempt": 0,
        "dead": False,
        "status": None,
        "result_size": None,
        "result_type": None,
        "deployment": None,
        "model": None,
        "reason": None,
    }
    return Job(**(facts | different))  # type: ignore[arg-type]


def test_ids_are_of_version_7_and_in_the_order_of_their_jobs() -> None:
    made = []
    for _ in range(5):
        made.append(ids.new())
        time.sleep(0.002)
    assert made == sorted(made)
    assert {each.version for each in made} == {7}
    assert 0 <= ids.age_seconds(made[0]) < 60


@pytest.mark.parametrize(
    "text",
    ["", "health", str(uuid4()), "01A1FFC6-04C3-7250-A3E1-DB6A5F8016B9", "{01a1ffc6-04c3-7250-a3e1-db6a5f8016b9}"],
)
def test_what_we_never_wrote_is_no_id(text: str) -> None:
    assert ids.parse(text) is None


def test_our_own_id_is_read_again() -> None:
    made = ids.new()
    assert ids.parse(str(made)) == made


@pytest.mark.parametrize(
    ("path", "query", "target"),
    [
        ("/predict", "async=true", "/predict"),
        ("/predict/iris", "async=true&a=1%202", "/predict/iris?a=1+2"),
        ("/invocations", "", "/invocations"),
        ("/models/iris/invocations", "async=true", "/models/iris/invocations"),
        ("/v2/models/iris/infer", "async=true", "/v2/models/iris/infer"),
        ("/v2/models/iris/versions/3/infer", "async=true", "/v2/models/iris/versions/3/infer"),
        ("/predict/iris/more", "async=true", None),
        ("/v2/models/iris", "async=true", None),
        ("/metrics", "async=true", None),
        ("/", "async=true", None),
    ],
)
def test_only_what_predicts_becomes_a_job_and_without_our_parameter(path: str, query: str, target: str | None) -> None:
    assert requests.target(path, query) == target


def test_the_headers_that_the_model_server_must_see_are_kept_and_no_others() -> None:
    given = {"Content-Type": "application/json", "Cookie": "secret", "Prefer": "respond-async", "X-Slipway-Key": "k"}
    assert json.loads(requests.kept(given)) == {"Content-Type": "application/json", "X-Slipway-Key": "k"}


@pytest.mark.parametrize("key", ["", "x" * 256, "a\x00b"])
def test_a_key_that_cannot_be_one_is_refused(key: str) -> None:
    with pytest.raises(BadRequestError):
        requests.idempotency_key(key)


def test_a_digest_tells_two_requests_apart_however_they_are_cut() -> None:
    same = requests.digest("/predict", "{}", b"body")
    assert requests.digest("/predict", "{}", b"body") == same
    others = [("/predict", "{}", b"bod"), ("/predict{", "}", b"body"), ("/predic", "t{}", b"body")]
    assert same not in [requests.digest(*other) for other in others]


def test_a_documents_result_is_the_servers_own_text() -> None:
    done = job(state="succeeded", ended=NOW, result_size=21, result_type="application/json", status=200)
    text = answers.document(done, content=b'{"predictions":[1e400]}\n')
    assert text.endswith(b'"result":{"predictions":[1e400]}}\n'), "a number that Python cannot hold stays as it is"
    assert b'"result_url":"/jobs/01a1ffc6-04c3-7250-a3e1-db6a5f8016b9/result"' in text


def test_a_result_that_is_no_json_or_too_large_is_only_pointed_at() -> None:
    binary = job(state="succeeded", result_size=4, result_type="application/octet-stream")
    large = job(state="succeeded", result_size=10**6, result_type="application/json")
    for found in (json.loads(answers.document(binary, content=b"\0\1\2\3")), json.loads(answers.document(large))):
        assert "result" not in found
        assert found["result_url"].endswith("/result")


def test_a_failure_says_why_with_or_without_an_answer() -> None:
    refused = job(state="failed", result_type="application/json", result_size=9, status=400, reason="it answered 400")
    assert json.loads(answers.document(refused, content=b'{"a": 1}'))["error"] == {"a": 1}
    silent = job(state="failed", reason="given up after 5 attempts")
    assert json.loads(answers.document(silent))["error"] == {"message": "given up after 5 attempts"}


def test_a_position_that_was_not_counted_to_its_end_says_so() -> None:
    assert json.loads(answers.document(job(), 3))["position"] == 3
    assert "position_is_at_least" not in json.loads(answers.document(job(), 3))
    assert json.loads(answers.document(job(), FAR))["position_is_at_least"] is True


def test_a_full_queue_admits_nobody_and_a_count_makes_room() -> None:
    counts = iter([3, 1])
    fullness = Fullness(3, lambda _: next(counts))
    assert [fullness.admit() for _ in range(4)] == [True, True, True, False]
    fullness.refresh()
    assert not fullness.admit()
    fullness.refresh()
    assert [fullness.admit() for _ in range(3)] == [True, True, False]


def test_what_came_in_during_a_count_is_not_forgotten() -> None:
    fullness = Fullness(10, lambda _: 5 if fullness.admit() else 0)
    fullness.refresh()
    assert fullness.queued == 6


def test_a_database_that_is_away_leaves_the_count_as_it_is() -> None:
    def away(_: int) -> int:
        raise psycopg.OperationalError

    fullness = Fullness(2, away)
    assert fullness.admit()
    assert fullness.refresh() == 1.0
    assert fullness.queued == 1


JOB = str(ids.new())
HEADERS = {"task": broker.TASK, "id": JOB}


def test_our_own_message_is_ours() -> None:
    assert str(broker.job_of(HEADERS, [[JOB, "prod"], {}, {"chord": None}], "prod")) == JOB


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        (None, None),
        ({}, [[JOB, "prod"], {}, {}]),
        ({"task": "other", "id": JOB}, [[JOB, "prod"], {}, {}]),
        ({"task": broker.TASK}, [[JOB, "prod"], {}, {}]),
        ({**HEADERS, "eta": "2030-01-01"}, [[JOB, "prod"], {}, {}]),
        (HEADERS, [[JOB, "another stack"], {}, {}]),
        (HEADERS, [["no id", "prod"], {}, {}]),
        (HEADERS, [[5, "prod"], {}, {}]),
        (HEADERS, [[JOB, "prod"], {"more": 1}, {}]),
        (HEADERS, [[JOB], {}, {}]),
        (HEADERS, "text"),
        (HEADERS, {"args": [JOB, "prod"]}),
        (HEADERS, 5),
        (HEADERS, None),
    ],
)
def test_whatever_else_comes_is_not(headers: object, body: object) -> None:
    assert broker.job_of(headers, body, "prod") is None


def settings(tmp_path: Path, **different: object) -> Path:
    content: dict[str, object] = {
        "stack": "prod",
        "broker": {"url": "amqps://u:p@10.0.0.1:5671/slipway", "ca": "/ca.pem"},
        "database": {"host": "db", "name": "jobs", "user": "slipway_jobs", "passfile": "/p", "ca": "/rds.pem"},
        "bucket": "b",
        "model_server": "/run/slipway/current.sock",
        "limits": {"attempts": 3},
    }
    file = tmp_path / "jobs.json"
    file.write_text(json.dumps(content | different))
    return file


def test_a_node_that_knows_no_jobs_says_so_by_its_exit_status(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SLIPWAY_JOBS_CONFIG", str(tmp_path / "jobs.json"))
    with pytest.raises(SystemExit) as ended:
        admin.main(["list"])
    assert ended.value.code == JOBS_EXIT.absent
    assert capsys.readouterr().err == f"jobs.admin: {tmp_path}/jobs.json: No such file or directory\n"


def test_the_database_is_reached_over_verified_tls_unless_told_otherwise(tmp_path: Path) -> None:
    found = config.read(settings(tmp_path))
    assert "sslmode=verify-full" in found.conninfo
    assert (found.limits.attempts, found.limits.queue) == (3, 100_000)
    assert found.limits.concurrency == len(os.sched_getaffinity(0)), "no more for a prediction to stand behind"
    plain = {"host": "db", "name": "jobs", "user": "u", "sslmode": "disable"}
    assert "sslmode=disable" in config.read(settings(tmp_path, database=plain)).conninfo


@pytest.mark.parametrize(
    "different", [{"stack": None, "broker": {}}, {"limits": {"unknown": 1}}, {"database": {"host": "db"}}]
)
def test_settings_that_cannot_be_used_are_one_line(tmp_path: Path, different: dict[str, object]) -> None:
    with pytest.raises(ConfigError) as error:
        config.read(settings(tmp_path, **different))
    assert "\n" not in str(error.value)


def test_settings_that_are_not_there_name_the_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="nowhere"):
        config.read(tmp_path / "nowhere.json")
