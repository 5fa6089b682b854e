"""One serving node, from its user data to a deployment that answers, and every way of changing it, under load."""

import gzip
import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import boto3
import pytest

import contract
from localcloud import cleanup
from localcloud.image import Image
from ops import deployment, release
from tests.machines.node_rig import ACTIVATE, BUCKET, Rig, a_model, user_data

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0 or shutil.which("uv") is None, reason="machines need root, and a release needs uv on PATH"
)

EXIT = contract.ACTIVATE_EXIT


@dataclass
class Stage:
    rig: Rig
    empty: str
    good: str
    better: str
    wrong: str
    broken: str
    absent: str
    other: str
    body: Any


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """A node that boots into a deployment without models, while S3 is out of reach; the others are in the bucket."""
    Image().ensure(print)
    built = release.build("server", print)
    rig = Rig(tmp_path_factory.mktemp("rig"))
    with pytest.MonkeyPatch.context() as patch:
        try:
            rig.start(patch)
            boto3.client("s3").create_bucket(Bucket=BUCKET)
            release.publish(rig.store, built)
            code = release.unpacked(rig.store, built.digest)
            model = a_model(rig.store, code, tmp_path_factory.mktemp("model"))
            otherwise = a_model(rig.store, code, tmp_path_factory.mktemp("other"), top=5.0)
            rig.store.put(f"models/{'0' * 64}.tar", b"not a tar")

            def made(**changed: Any) -> str:
                models = [{**model, **changed}]
                return deployment.publish(rig.store, {"schema": 1, "release": built.digest, "models": models})

            empty = deployment.publish(rig.store, {"schema": 1, "release": built.digest, "models": []})
            expected = model["expected"]
            off = {**expected, "output": {"predictions": [value + 1 for value in expected["output"]["predictions"]]}}
            deployments = Stage(
                rig,
                empty=empty,
                good=made(),
                better=made(version="2"),
                wrong=made(expected=off),
                broken=made(digest="0" * 64),
                absent=made(digest="1" * 64),
                other=made(**otherwise),
                body=expected["input"],
            )
            rig.prepare(empty)
            rig.localcloud("fault", "s3", "down")
            rig.launch()
            yield deployments
        finally:
            rig.localcloud("stop", check=False)
            cleanup.clean(rig.state, print)


def test_first_boot_waits_for_the_nodes_files_and_says_so(stage: Stage) -> None:
    waiting = '"event": "waiting"'
    stage.rig.until(lambda: waiting in stage.rig.console, "it says that it waits")
    said = next(line for line in stage.rig.console.splitlines() if waiting in line)
    assert f"s3://{BUCKET}/nodes/" in said
    stage.rig.localcloud("fault", "s3", "up")


def test_first_boot_ends_in_the_deployment_that_the_pointer_names(stage: Stage) -> None:
    stage.rig.until_ready()
    assert stage.rig.status()["confirmed"] == stage.empty
    stage.rig.until(lambda: "done" in stage.rig.inside("cloud-init", "status").stdout, "cloud-init is done")
    assert "status: done" in stage.rig.inside("cloud-init", "status").stdout
    assert not stage.rig.inside("systemctl", "--failed", "--no-legend", "--plain").stdout.strip()


def test_cloud_init_itself_finds_the_user_data_valid(stage: Stage) -> None:
    text = user_data()
    script = f"import sys; open('/tmp/user-data', 'w').write({text!r})"
    assert stage.rig.inside("/usr/bin/python3", "-c", script).returncode == 0
    checked = stage.rig.inside("cloud-init", "schema", "--config-file", "/tmp/user-data")
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_the_server_has_no_network_and_hardly_a_right(stage: Stage) -> None:
    said = stage.rig.inside("systemd-analyze", "security", "--no-pager", "model-server@a.service").stdout
    exposure = float(said.rsplit("exposure level for model-server@a.service:", 1)[1].split()[0])
    assert exposure <= 1.0, said


def test_without_a_model_it_says_how_to_deliver_one_and_keeps_the_request_id(stage: Stage) -> None:
    answer = stage.rig.inside("curl", "-si", "-HX-Request-Id: mine-1", "-d{}", "http://127.0.0.1:8080/invocations")
    assert answer.stdout.startswith("HTTP/1.1 404")
    assert "X-Request-Id: mine-1" in answer.stdout
    assert answer.stdout.count("X-Request-Id") == 1


def test_nginx_answers_its_own_errors_in_json(stage: Stage) -> None:
    upload = "head -c 20000000 /dev/zero | curl -si --data-binary @- -H 'Expect:' http://127.0.0.1:8080/invocations"
    answer = stage.rig.inside("sh", "-c", upload).stdout
    assert answer.startswith("HTTP/1.1 413")
    assert json.loads(answer.partition("\n\n")[2])["error_code"] == "BAD_REQUEST"


def test_requests_are_logged_as_one_json_line_each(stage: Stage) -> None:
    stage.rig.get("/version?secret=1")
    lines = stage.rig.inside("journalctl", "-q", "-t", "nginx_access", "-o", "cat", "-n", "1").stdout.splitlines()
    request = json.loads(lines[-1])
    assert (request["path"], request["status"], request["deployment"]) == ("/version", "200", stage.empty)


def test_a_deployment_is_prepared_beside_what_serves(stage: Stage) -> None:
    prepare = f"timeout -s KILL 1 {ACTIVATE} prepare {stage.good}"
    stage.rig.inside("sh", "-c", prepare)
    before = stage.rig.status()
    done = stage.rig.activate("prepare", stage.good)
    assert done.returncode == EXIT.ok, done.stderr
    status = stage.rig.status()
    assert status["prepared"] == [stage.good]
    assert {**status, "prepared": []} == {**before, "prepared": []}, "what serves is left alone"
    assert stage.rig.activate("prepare", stage.broken).returncode == EXIT.digest
    assert stage.rig.activate("prepare", stage.absent).returncode == EXIT.fetch
    assert stage.rig.status()["prepared"] == []


def test_a_model_is_delivered_and_replaced_without_a_failed_request(stage: Stage) -> None:
    assert stage.rig.activate("activate", stage.good).returncode == EXIT.ok
    load = stage.rig.load(stage.body)
    for deployment_id in (stage.better, stage.good, stage.better):
        done = stage.rig.activate("activate", deployment_id)
        assert done.returncode == EXIT.ok, done.stderr
    answers, failures = load.result()
    assert failures == []
    assert set(answers) == {stage.good, stage.better}


def test_what_cannot_serve_leaves_the_old_deployment_alone(stage: Stage) -> None:
    load = stage.rig.load(stage.body)
    before = stage.rig.status()
    for deployment_id, status in (
        (stage.wrong, EXIT.gate),
        (stage.broken, EXIT.digest),
        (stage.absent, EXIT.fetch),
        ("0123456789ab", EXIT.fetch),
    ):
        done = stage.rig.activate("activate", deployment_id)
        assert done.returncode == status, done.stderr
    after = stage.rig.status()
    answers, failures = load.result()
    assert failures == []
    assert set(answers) == {stage.better}
    assert {**before, "slots": None} == {**after, "slots": None}


def test_a_failed_candidate_shows_its_last_words(stage: Stage) -> None:
    said = json.loads(stage.rig.activate("activate", stage.wrong).stderr.splitlines()[-1])
    assert "answers its example wrongly" in said["message"]
    assert any("model not ready" in line for line in said["log"])


def test_a_provisional_deployment_is_reverted_or_confirmed(stage: Stage) -> None:
    load = stage.rig.load(stage.body)
    assert stage.rig.activate("activate", stage.good, "--provisional", "300").returncode == EXIT.ok
    assert stage.rig.status()["provisional"] == stage.good
    assert stage.rig.inside("readlink", "/run/slipway/previous.sock").returncode == 0, "the old one stands by"
    assert stage.rig.activate("revert").returncode == EXIT.ok
    assert stage.rig.status()["serving"] == stage.better
    assert stage.rig.activate("revert").returncode == EXIT.nothing
    assert stage.rig.activate("activate", stage.good, "--provisional", "300").returncode == EXIT.ok
    assert stage.rig.activate("confirm").returncode == EXIT.ok
    assert stage.rig.activate("confirm").returncode == EXIT.nothing
    assert stage.rig.status()["confirmed"] == stage.good
    assert load.result()[1] == []


def test_a_second_activation_at_the_same_time_is_refused(stage: Stage) -> None:
    held = stage.rig.inside("flock", "/var/lib/slipway/lock", ACTIVATE, "activate", stage.better)
    assert held.returncode == EXIT.busy


def settled(rig: Rig) -> bool:
    """Whether the timer's decision has ended: it holds the lock until what it dropped has drained."""
    return (
        rig.inside("systemctl", "show", "--property=ActiveState", "slipway-settle").stdout == "ActiveState=inactive\n"
    )


def test_without_a_controller_the_pointer_decides_on_what_is_provisional(stage: Stage) -> None:
    rig = stage.rig
    rig.store.point(stage.better)
    assert rig.activate("activate", stage.better, "--provisional", "3").returncode == EXIT.ok
    rig.until(lambda: rig.status()["confirmed"] == stage.better, "it is confirmed, as the pointer says")
    rig.until(lambda: settled(rig), "the old slot has drained")
    assert rig.activate("activate", stage.good, "--provisional", "3").returncode == EXIT.ok
    rig.until(lambda: rig.status()["provisional"] is None, "it is reverted, as the pointer says")
    rig.until(lambda: settled(rig), "what was dropped has ended")
    assert rig.status()["serving"] == stage.better


def test_a_pointer_out_of_reach_is_asked_again(stage: Stage) -> None:
    rig = stage.rig
    rig.localcloud("fault", "ssm", "down")
    assert rig.activate("activate", stage.good, "--provisional", "1").returncode == EXIT.ok
    asked = ["journalctl", "-q", "-u", "slipway-settle", "-o", "cat", "-n", "3"]
    rig.until(lambda: '"waiting"' in rig.inside(*asked).stdout, "it says that it waits")
    assert rig.status()["provisional"] == stage.good
    rig.localcloud("fault", "ssm", "up")
    rig.until(lambda: rig.status()["provisional"] is None, "it has asked again")
    rig.until(lambda: settled(rig), "what was dropped has ended")
    assert rig.status()["serving"] == stage.better


def test_a_killed_activation_is_finished_by_the_next(stage: Stage) -> None:
    rig = stage.rig
    command = f"timeout -s KILL %s /usr/local/lib/slipway/slipway-activate activate {stage.good}"
    load = rig.load(stage.body)
    for seconds in ("0.5", "2", "4"):
        rig.inside("sh", "-c", command % seconds)
    assert rig.activate("activate", stage.good).returncode == EXIT.ok
    assert rig.status()["confirmed"] == stage.good
    answers, failures = load.result()
    assert failures == []
    assert stage.good in answers


def test_after_a_reboot_the_confirmed_deployment_serves_even_with_the_cloud_away(stage: Stage) -> None:
    rig = stage.rig
    assert rig.activate("activate", stage.better, "--provisional", "600").returncode == EXIT.ok
    rig.localcloud("fault", "ssm", "down")
    rig.localcloud("fault", "s3", "down")
    # A systemd that is just going down takes a question and never answers it.
    started = ["timeout", "5", "systemctl", "show", "--property=UserspaceTimestampMonotonic", "--value"]
    before = rig.inside(*started).stdout
    rig.inside("systemctl", "reboot")
    rig.until(lambda: rig.inside(*started).stdout not in ("", before), "another boot")
    rig.until_ready()
    assert rig.status()["serving"] == rig.status()["confirmed"] == stage.good
    rig.localcloud("fault", "ssm", "up")
    rig.localcloud("fault", "s3", "up")
    rig.until(lambda: rig.status()["confirmed"] == stage.better, "it follows the pointer, which says better")


def test_its_host_keys_are_on_the_console_after_a_reboot_too(stage: Stage) -> None:
    assert stage.rig.console.count("BEGIN SSH HOST KEY KEYS") >= 2


def test_a_draining_node_says_so_and_takes_a_deployment_all_the_same(stage: Stage) -> None:
    rig = stage.rig
    rig.until(lambda: rig.activate("activate", stage.better).returncode != EXIT.busy, "what the boot began has ended")
    rig.inside("touch", "/run/slipway/draining")
    assert rig.get("/readyz").stdout.startswith("HTTP/1.1 503")
    rig.until(lambda: rig.activate("activate", stage.good).returncode == EXIT.ok, "it takes a deployment")
    rig.inside("rm", "/run/slipway/draining")
    rig.until_ready()


def answered_by(rig: Rig, body: Any, keys: int) -> list[str]:
    """Which deployment answers a prediction of each of so many keys."""
    ask = f"curl -s -o /dev/null -w '%header{{x-slipway-deployment}} ' -d '{json.dumps(body)}' {CURL_JSON}"
    return rig.inside("sh", "-c", f"for key in $(seq {keys}); do {ask} -H X-Slipway-Key:$key; done").stdout.split()


CURL_JSON = "-H Content-Type:application/json http://127.0.0.1:8080/invocations"


def test_a_share_is_its_share_and_costs_no_request_even_when_the_candidate_dies(stage: Stage) -> None:
    rig = stage.rig
    assert rig.activate("share", stage.better, "7").returncode == EXIT.usage
    load = rig.load(stage.body, connections=2)
    done = rig.activate("share", stage.better, "25")
    assert done.returncode == EXIT.ok, done.stderr
    once = answered_by(rig, stage.body, 200)
    assert once[:40] == answered_by(rig, stage.body, 40), "the same key, the same deployment"
    assert 0.15 < once.count(stage.better) / len(once) < 0.35, "the share, of keys: the load has none, and runs longer"
    assert set(once) == {stage.good, stage.better}
    status = rig.status()
    assert (status["serving"], status["trial"]) == (stage.good, {"deployment": stage.better, "percent": 25})
    unit = f"model-server@{'b' if status['slot'] == 'a' else 'a'}"
    rig.until(lambda: rig.inside("systemctl", "kill", "--signal=KILL", unit).returncode == 0, "the candidate is killed")
    again = answered_by(rig, stage.body, 40)
    assert {name for name, first in zip(again, once[:40], strict=True) if first == stage.good} == {stage.good}
    answers, failures = load.result()
    assert failures == []
    assert answers[stage.better] > 0
    assert rig.activate("unshare").returncode == EXIT.ok
    assert set(answered_by(rig, stage.body, 20)) == {stage.good}
    assert rig.activate("unshare").returncode == EXIT.nothing


def test_a_shadow_changes_no_answer_and_its_differences_are_counted(stage: Stage) -> None:
    rig = stage.rig

    def compared() -> dict[str, int]:
        found: dict[str, int] = json.loads(rig.activate("status", "--json", "--server").stdout)["trial"]["answers"]
        return found

    load = rig.load(stage.body, connections=2)
    done = rig.activate("shadow", stage.other)
    assert done.returncode == EXIT.ok, done.stderr
    rig.activate("mark")
    rig.until(lambda: compared()["different"] >= 50, "its answers are compared")
    seen = json.loads(rig.activate("observe", "0", "--trial", "--least", "5").stdout)
    answers, failures = load.result()
    assert failures == []
    assert set(answers) == {stage.good}
    assert seen["answers"]["different"] > 0
    assert (seen["answers"]["same"], seen["answers"]["failed"]) == (0, 0), seen
    assert (seen["candidate"]["deployment"], seen["serving"]["deployment"]) == (stage.other, stage.good)
    assert (seen["candidate"]["wrong"], seen["candidate"]["slot_errors"]) == (0, 0)
    assert rig.activate("activate", stage.other).returncode == EXIT.ok, "it goes on to what is on trial"
    assert (rig.status()["serving"], rig.status()["trial"]) == (stage.other, None)


def ask(rig: Rig, request_id: str, body: Any) -> None:
    """One prediction by that id."""
    headers = ["-H", f"X-Request-Id: {request_id}", "-H", "Content-Type: application/json"]
    answer = rig.inside("curl", "-si", *headers, "-d", json.dumps(body), "http://127.0.0.1:8080/invocations").stdout
    assert answer.startswith("HTTP/1.1 200"), answer


def shipped() -> dict[str, Any]:
    """The prediction log in the bucket, by request."""
    s3 = boto3.client("s3")
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=contract.S3.predictions)
    keys = [item["Key"] for page in pages for item in page.get("Contents", [])]
    files = [gzip.decompress(s3.get_object(Bucket=BUCKET, Key=key)["Body"].read()) for key in keys]
    lines = [json.loads(line) for file in files for line in file.splitlines()]
    return {line["request_id"]: line for line in lines}


def test_sampled_predictions_reach_the_bucket_after_an_outage_too(stage: Stage) -> None:
    rig, waiting = stage.rig, f"ls {contract.PATHS.predictions}/*.jsonl"
    rig.localcloud("fault", "s3", "down")
    ask(rig, "sampled-1", stage.body)
    rig.until(lambda: rig.inside("sh", "-c", waiting).returncode == 0, "the sample is written")
    assert rig.inside("systemctl", "start", "slipway-predictions.service").returncode != 0
    assert rig.inside("sh", "-c", waiting).returncode == 0, "what cannot be sent stays"
    rig.localcloud("fault", "s3", "up")
    rig.until(lambda: "sampled-1" in shipped(), "the timer ships it")
    line = shipped()["sampled-1"]
    assert (line["model"], line["deployment"], line["protocol"]) == ("line", rig.status()["serving"], "mlflow")
    assert (
        line["input"] == stage.body or line["input"]["dataframe_split"]["data"] == stage.body["dataframe_split"]["data"]
    )
    assert "slipway-predictions" in rig.inside("ls", "-ld", contract.PATHS.predictions).stdout


def test_what_is_left_of_the_prediction_log_is_shipped_when_the_node_goes_down(stage: Stage) -> None:
    rig = stage.rig
    rig.inside("systemctl", "stop", "slipway-predictions.timer")
    ask(rig, "sampled-2", stage.body)
    rig.inside("systemctl", "reboot")
    rig.until(lambda: "sampled-2" in shipped(), "the node ships it on its way down")
    rig.until_ready()
    assert rig.inside("systemctl", "is-active", "slipway-predictions.timer").stdout.strip() == "active"
