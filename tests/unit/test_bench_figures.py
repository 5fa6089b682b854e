"""The figures of `make bench`: what is read of h2load, medians, ratios, targets, and how they are shown."""

import json
import math
from pathlib import Path

import pytest

from ops.errors import UserError
from tests.bench.serving import load, profile, protocols, report, servers, slipway, targets
from tests.bench.serving.environments import CHECKOUT
from tests.bench.serving.load import Load, Request
from tests.bench.serving.measure import Cell
from tests.bench.serving.process import Address

SUMMARY = """
finished in 14.82s, 4.79 req/s, 557B/s
requests: 100 total, 100 started, 71 done, 57 succeeded, 43 failed, 29 errored, 0 timeout
status codes: 57 2xx, 0 3xx, 0 4xx, 14 5xx
"""
LOG = "1795253829746198\t200\t1206\n1795253829746206\t503\t300\n1795253829746212\t200\t1222\n1795253829746300\t-1\t9\n"


def loads(rate: float, p99_ms: float = 10.0, errors: int = 0) -> Load:
    return Load(
        rate=rate, p50_ms=1.0, p99_ms=p99_ms, answers=100, errors=errors, refused=0, refused_p99_ms=math.nan
    )  # fmt: skip


def cell(*rates: float, p99_ms: float = 10.0, errors: int = 0, pss_mib: float = 200.0) -> Cell:
    at = dict(zip((1, 16, 64), rates, strict=True))
    return Cell(
        loads={number: loads(rate, p99_ms, errors) for number, rate in at.items()},
        ready_seconds=3.0,
        pss_mib=pss_mib,
        workers=2,
    )


def test_percentiles_are_values_that_occurred() -> None:
    assert load.percentile(list(range(1, 101)), 99) == 99
    assert load.percentile(list(range(1, 101)), 50) == 50
    assert load.percentile([7], 99) == 7
    assert math.isnan(load.percentile([], 99))


def test_only_2xx_counts_as_served_and_everything_else_as_an_error() -> None:
    found = load.load(load.parse(LOG), load.unanswered(SUMMARY), seconds=2.0)
    assert found.rate == 1.0
    assert (found.answers, found.refused, found.refused_p99_ms) == (2, 1, 0.3)
    assert found.p99_ms == 1.222
    assert found.errors == 1 + 1 + 28, "a 503, a failed stream, and 28 that the log does not have"


def test_h2load_that_dies_without_a_summary_is_no_measurement() -> None:
    with pytest.raises(UserError, match="without a summary"):
        load.unanswered("Segmentation fault")


def test_load_goes_to_loopback_or_a_socket_and_is_bounded(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(load, "program", lambda: "h2load")
    request = Request(path="/invocations", body=tmp_path / "body.json", headers=protocols.JSON)
    log = tmp_path / "log"
    closed = load.closed_argv(request, Address(port=81), log, connections=16, seconds=1.5, warm_up_seconds=1)
    assert closed[-1] == "http://127.0.0.1:81/invocations"
    assert " ".join(closed).startswith("h2load --h1 -t 1 -c 16 -D 1500ms --warm-up-time 1000ms -H Content-Type:")
    opened = load.open_argv(request, Address(socket=tmp_path / "s"), log, per_second=1000, seconds=8)
    assert f"-B unix:{tmp_path / 's'}" in " ".join(opened)
    assert "-n 8000 -c 8000 -r 50 --rate-period 50ms" in " ".join(opened).replace("=", " ")
    paced = load.paced_argv(request, Address(port=80), log, connections=4, per_second=40, seconds=8)
    assert "-c 4 --rps 10 -D 8000ms" in " ".join(paced)


def test_a_slow_server_is_looked_at_until_it_can_have_answered_but_not_for_ever() -> None:
    assert load.window(3.0, 64, 17.0) == 3.0
    assert load.window(3.0, 64, 200.0) == pytest.approx(12.8)
    assert load.window(3.0, 64, 900.0) == 3.0 * load.WINDOW_TIMES
    assert load.window(3.0, 64, math.nan) == 3.0


def test_a_median_hides_an_outlier_but_never_an_error() -> None:
    found = targets.median_load([loads(10), loads(1000, errors=3), loads(12)])
    assert (found.rate, found.errors) == (12, 3)


def test_a_round_without_a_peer_leaves_the_other_rounds_their_medians() -> None:
    key = ("forest", "LitServe, batching")
    found = targets.medians([{key: cell(1, 2, 3)}, {}, {key: cell(3, 4, 5)}])
    assert found[key].loads[64].rate == 4


def test_goals_are_against_the_best_peer_and_say_met_or_missed() -> None:
    cells = {
        ("forest", slipway.NATIVE): cell(100, 900, 3000),
        ("forest", slipway.COMPILED): cell(3000, 9000, 14000, p99_ms=4.0),
        ("forest", servers.MLFLOW): cell(17, 109, 106, p99_ms=1480, pss_mib=500),
        ("forest", "mlflow models serve, 1 worker"): cell(59, 48, 51),
        ("forest", "LitServe, batching"): cell(85, 511, 791, p99_ms=80),
    }
    found = {goal.what: goal for goal in targets.goals(cells)}
    native = "forest: Slipway: rate at"
    assert found[f"{native} 64 against mlflow models serve"].figure == pytest.approx(3000 / 106)
    assert found[f"{native} 64 against mlflow models serve"].met
    assert not found[f"{native} 16 against best batching peer"].met, "900 is less than twice 511"
    assert found[f"{native} 1 against best peer"].figure == pytest.approx(100 / 85)
    compiled = "forest: Slipway, compiled:"
    assert found[f"{compiled} rate at 1 against mlflow models serve"].figure == pytest.approx(3000 / 59)
    late = found[f"{compiled} p99 at 64 against best peer"]
    assert late.figure == pytest.approx(4 / 10), "the best p99 is the one-worker row's 10 ms"
    assert not late.met
    memory = found["forest: Slipway: memory per worker, beside mlflow models serve's"]
    assert (memory.figure, memory.target, memory.met) == (100, 250, True)
    assert not [what for what in found if what.startswith("text")], "what was not measured is not judged"


def test_the_tables_ratio_is_to_mlflow_and_a_missed_goal_says_so() -> None:
    cells = {("forest", slipway.NATIVE): cell(50, 900, 3000), ("forest", servers.MLFLOW): cell(25, 100, 100)}
    lines = report.table(cells).splitlines()
    assert lines[0].startswith("forest: RandomForestRegressor(100)")
    ours = lines[2].split("|")
    assert ours[0].strip() == slipway.NATIVE
    assert [column.split()[:2] for column in ours[1:4]] == [["50", "2.00"], ["900", "9.00"], ["3000", "30.0"]]
    text = report.goal_lines(
        [targets.Goal(what="a", figure=1.0, target=2.0), targets.Goal(what="b", figure=3, target=2)]
    )
    assert [line.split()[-1] for line in text.splitlines()] == ["MISSED", "met"]


def test_the_distance_to_the_bare_echo_is_a_share_of_its_rate() -> None:
    cells = {("forest", slipway.NATIVE): cell(50, 900, 3000), ("forest", slipway.ECHO): cell(100, 9000, 30000)}
    assert report.distances(cells) == "forest: Slipway: of the bare echo's rate at 1: 50%, 16: 10%, 64: 10%"
    assert not report.distances({("forest", slipway.NATIVE): cell(1, 2, 3)})


@pytest.mark.parametrize(
    ("value", "shown"),
    [(0.04214, "0.0421"), (3.14159, "3.14"), (27.12, "27.1"), (1480.4, "1480"), (0, "0"), (math.nan, "-")],
)
def test_a_number_shows_what_matters(value: float, shown: str) -> None:
    assert report.number(value) == shown


def test_figures_that_were_not_measured_are_null_in_json() -> None:
    text = json.dumps(report.as_json({("forest", slipway.NATIVE): cell(1, 2, 3)}), allow_nan=False)
    assert json.loads(text)[0]["loads"]["1"]["refused_p99_ms"] is None


def test_a_sample_belongs_to_the_innermost_module_of_ours() -> None:
    found = profile.staged(
        [
            "run (gunicorn/x.py:1);feed (app/loop/receiver.py:40) 3",
            "run (app/loop/worker.py:1);invocation (app/core/plain.py:9);loads (orjson.py:1) 2",
            "wait (threading.py:331) 1",
        ]
    )
    assert dict(found) == {
        "HTTP in: llhttp's events, headers": 3,
        "JSON in: decoding and checking": 2,
        "everything else: uvloop, threads": 1,
    }


def test_every_stage_of_the_profile_is_a_file_that_exists() -> None:
    files = [file for files in profile.STAGES.values() for file in files]
    assert [file for file in files if not (CHECKOUT / "app" / file).is_file()] == []
    assert len(set(files)) == len(files)
