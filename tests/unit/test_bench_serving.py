"""`make bench`: its arithmetic, what it reads of h2load, what it renders, and that every peer has its lock."""

import json
import math
from pathlib import Path

import pytest

from contract import PATHS
from ops.errors import UserError
from tests.bench.serving import __main__ as bench
from tests.bench.serving import environments, load, nginx, protocols, report, servers, slipway, targets
from tests.bench.serving.load import Load, Request
from tests.bench.serving.measure import Cell, equal
from tests.bench.serving.process import Address, tree
from tests.bench.serving.protocols import Table

SUMMARY = """
finished in 14.82s, 4.79 req/s, 557B/s
requests: 100 total, 100 started, 71 done, 57 succeeded, 43 failed, 29 errored, 0 timeout
status codes: 57 2xx, 0 3xx, 0 4xx, 14 5xx
"""
LOG = "1795253829746198\t200\t1206\n1795253829746206\t503\t300\n1795253829746212\t200\t1222\n1795253829746300\t-1\t9\n"
DATA = Table(("a", "b"), ((1.0, 2.0), (3.0, 4.0)))


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


def test_every_peer_has_a_lock_with_exact_versions_and_nothing_else_has_a_folder() -> None:
    folders = {path.name for path in environments.PEERS.iterdir() if path.is_dir() and path.name != "__pycache__"}
    assert folders == {server.lock for server in servers.PEER_SERVERS}
    for peer in folders:
        lines = environments.lock_file(peer).read_text().splitlines()
        assert lines, peer
        assert all("==" in line for line in lines if line and not line.startswith("#")), f"{peer} has a loose version"


@pytest.mark.parametrize("peer", sorted({server.lock for server in servers.PEER_SERVERS}))
def test_a_peer_runs_models_with_the_libraries_that_made_them(peer: str) -> None:
    ours = environments.shared_versions((environments.CHECKOUT / "uv.lock").read_text())
    theirs = environments.pinned(environments.lock_file(peer).read_text())
    assert theirs["scikit-learn"] == ours["scikit-learn"], "run `make bench ARGS=--lock`"


def test_another_lock_or_another_python_is_another_environment() -> None:
    names = {environments.digest(lock, python) for lock in (b"a==1\n", b"a==2\n") for python in ("3.11.2", "3.11.7")}
    assert len(names) == 4


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


def test_a_slow_server_is_looked_at_until_it_can_have_answered_but_not_for_ever() -> None:
    assert load.window(3.0, 64, 17.0) == 3.0
    assert load.window(3.0, 64, 200.0) == pytest.approx(12.8)
    assert load.window(3.0, 64, 900.0) == load.WINDOW_SECONDS
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


def test_answers_are_compared_as_numbers_within_the_tolerance_and_as_labels_exactly() -> None:
    assert equal([1.000001, [2.0]], [1.0, 2.0])
    assert not equal([1.001, 2.0], [1.0, 2.0])
    assert not equal([1.0], [1.0, 2.0])
    assert equal(["positive"], ["positive"])
    assert not equal(["positive"], ["negative"])


def test_every_protocol_carries_the_same_rows() -> None:
    assert json.loads(protocols.MLFLOW.encoded(DATA))["dataframe_split"]["data"] == [[1.0, 2.0], [3.0, 4.0]]
    assert [each["data"] for each in json.loads(protocols.V2.encoded(DATA))["inputs"]] == [[1.0, 3.0], [2.0, 4.0]]
    assert json.loads(protocols.ROWS.encoded(DATA)) == {"rows": [[1.0, 2.0], [3.0, 4.0]]}
    texts = json.loads(protocols.V2.encoded(Table(("text",), (("a",), ("b",)))))["inputs"][0]
    assert (texts["datatype"], texts["shape"]) == ("BYTES", [2, 1])


def test_slipway_starts_by_the_shipped_units_own_command_and_environment(tmp_path: Path) -> None:
    unit = slipway.parse(slipway.rendered(tmp_path), "/venv/bin/python")
    assert unit.command[:3] == ["/venv/bin/python", "-m", "gunicorn"]
    assert "python:app.gunicorn_config" in unit.command
    assert f"unix:{tmp_path}{PATHS.run}/a.sock" in unit.command
    assert unit.env["SLIPWAY_MODELS"] == f"{tmp_path}{PATHS.models}"
    assert unit.env["PYTHONPATH"].startswith(f"{tmp_path}{PATHS.slots}/a/release/src")


def test_what_the_unit_runs_first_is_found_whether_or_not_it_may_fail() -> None:
    text = (
        "Environment=A=1 B=2\nCacheDirectory=slipway\n"
        "ExecStartPre=-/usr/bin/python3 -m app.compile\nExecStart=/usr/bin/python3 -m gunicorn\n"
    )
    unit = slipway.parse(text, "python")
    assert unit.env == {"A": "1", "B": "2", "CACHE_DIRECTORY": "/var/cache/slipway"}
    assert unit.before == [["python", "-m", "app.compile"]]


def test_the_compiled_row_says_when_the_original_serves(tmp_path: Path) -> None:
    assert slipway.decided(tmp_path) == "served natively: nothing was decided"
    place = tmp_path / "var/cache/slipway/0-1/decision.json"
    place.parent.mkdir(parents=True)
    place.write_text(json.dumps({"decision": "native", "reason": "no converter"}))
    assert slipway.decided(tmp_path) == "served natively: no converter"
    place.write_text(json.dumps({"decision": "compiled", "reason": ""}))
    assert slipway.decided(tmp_path) == ""


def test_nginx_in_front_is_the_shipped_one_but_for_its_places(tmp_path: Path) -> None:
    main = nginx.configure(tmp_path, "127.0.0.1:4000", 4001).read_text()
    served = (tmp_path / "etc/nginx/slipway/model-server.conf").read_text()
    assert served.count("server 127.0.0.1:4000 max_fails=0;") == 2
    assert "listen 127.0.0.1:4001 default_server backlog=4096;" in served
    assert "syslog:" not in main, "a benchmark fills nobody's journal"
    assert f"access_log {tmp_path}/access.log slipway if=$slipway_loggable;" in main
    assert " /etc/nginx" not in main + served
    assert " /run/" not in main, "another Nginx of this machine is left alone"


def test_a_tree_is_the_session_and_all_that_descend_from_it() -> None:
    known = {10: (1, 10), 11: (10, 10), 12: (11, 12), 13: (1, 10), 14: (1, 14)}
    assert tree(10, known) == {10, 11, 12, 13}


def test_unknown_models_and_servers_are_refused_with_the_ones_there_are() -> None:
    with pytest.raises(UserError, match="there are: forest"):
        bench.chosen_cases("forest,bert")
    with pytest.raises(UserError, match="there are: Slipway"):
        bench.chosen_servers("triton")
    assert [server.name for server in bench.chosen_servers("litserve")] == ["LitServe, batching"]
    assert bench.chosen_cases(bench.arguments([]).models) == bench.CASE_NAMES
