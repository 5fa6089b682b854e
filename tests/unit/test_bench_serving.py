"""`make bench`: every peer has its lock, everybody gets the same rows, and Slipway and Nginx are the shipped ones."""

import json
from pathlib import Path

import pytest

from contract import PATHS
from ops.errors import UserError
from tests.bench.serving import __main__ as bench
from tests.bench.serving import environments, nginx, protocols, servers, slipway
from tests.bench.serving.measure import equal
from tests.bench.serving.process import tree
from tests.bench.serving.protocols import Table

DATA = Table(("a", "b"), ((1.0, 2.0), (3.0, 4.0)))


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


def test_the_compiled_row_says_when_the_original_serves(tmp_path: Path) -> None:
    assert slipway.decided(tmp_path) == "served natively: nothing was decided"
    place = tmp_path / "slots/a/deployment.json"
    place.parent.mkdir(parents=True)
    place.write_text(json.dumps({"models": [{"native": {"reason": "no converter"}}]}))
    assert slipway.decided(tmp_path) == "served natively: no converter"
    place.write_text(json.dumps({"models": [{"compiled": {"digest": "0"}}]}))
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
