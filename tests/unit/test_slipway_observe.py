"""What a node counts in a window: the slot's own counters, and what Nginx says of the slot."""

import json
from types import SimpleNamespace
from typing import cast

import pytest
from slipway_node import observe
from slipway_node.activation import Activation
from slipway_node.observe import Counts, Mark, obvious, parse, tally
from slipway_node.state import Placed, State

from ops.rollout.judge import Window, judge
from tests.unit.test_rollout_judge import BOUNDS

METRICS = """# TYPE slipway_requests_total counter
slipway_requests_total{model="m",version="1",protocol="mlflow",status="200"} 90.0
slipway_requests_total{model="m",version="1",protocol="v2",status="500"} 4.0
slipway_requests_total{model="m",version="1",protocol="v2",status="503"} 6.0
slipway_worker_exits_total 2.0
slipway_request_duration_seconds_bucket{model="m",version="1",protocol="mlflow",le="0.1"} 80.0
slipway_request_duration_seconds_bucket{model="m",version="1",protocol="v2",le="0.1"} 5.0
slipway_request_duration_seconds_bucket{model="m",version="1",protocol="mlflow",le="+Inf"} 90.0
slipway_request_duration_seconds_bucket{model="m",version="1",protocol="v2",le="+Inf"} 10.0
"""


SLOT, FALLBACK = "unix:/run/slipway/current.sock", "unix:/run/slipway/previous.sock"


def entry(status: str = "200", path: str = "/invocations", upstream: str = SLOT, attempts: str = "") -> str:
    about = {"event": "request", "path": path, "status": status, "upstream": upstream}
    return json.dumps({**about, "upstream_status": attempts or status})


def tallied(*lines: str, candidate: bool = False) -> dict[str, int]:
    """What callers got."""
    found = tally(list(lines), candidate=candidate)
    return {name: count for name, count in found.items() if not name.endswith("_again")}


def test_counters_are_summed_over_models_and_protocols_and_overload_is_no_error() -> None:
    assert parse(METRICS) == Counts(100, 4, 2, {"0.1": 85, "+Inf": 100})


def test_a_request_that_the_fallback_answered_was_rescued() -> None:
    rescued = entry(upstream=f"{SLOT}, {FALLBACK}", attempts="500, 200")
    again = entry(upstream=f"{SLOT}, {SLOT}", attempts="500, 200")
    assert tallied(entry(), rescued, again) == {"requests": 3, "errors": 0, "rescued": 1}


def test_a_candidate_on_trial_and_what_serves_are_counted_apart() -> None:
    candidate, current = "unix:/run/slipway-trial/candidate.sock", "unix:/run/slipway/current.sock"
    lines = [entry(), entry(upstream=candidate), entry(upstream=f"{candidate}, {current}"), entry("500")]
    assert tallied(*lines) == {"requests": 2, "errors": 1, "rescued": 0}
    assert tallied(*lines, candidate=True) == {"requests": 2, "errors": 0, "rescued": 1}


def test_what_both_failed_is_an_error_once() -> None:
    both = entry("500", upstream=f"{SLOT}, {FALLBACK}", attempts="500, 500")
    assert tallied(both, entry("503"), entry("400")) == {"requests": 3, "errors": 1, "rescued": 0}


def test_probes_and_other_lines_are_not_predictions() -> None:
    assert tally([entry(path="/readyz"), "not JSON", '{"event": "start"}', "[]"])["requests"] == 0


@pytest.mark.parametrize(
    ("upstream", "attempts", "asked_again", "failed_again"),
    [
        (f"{SLOT}, {SLOT}, {FALLBACK}", "500, 500, 200", 1, 1),
        (f"{SLOT}, {SLOT}", "500, 200", 1, 0),
        (f"{SLOT}, {SLOT}, {FALLBACK}", "502, 504, 200", 0, 0),
        (f"{SLOT}, {SLOT}, {FALLBACK}", "502, 500, 200", 0, 0),
        (f"{SLOT}, {FALLBACK}", "500, 500", 0, 0),
        (SLOT, "500", 0, 0),
        ("", "", 0, 0),
    ],
)
def test_answers_of_the_slot_beyond_its_first_are_told_apart(
    upstream: str, attempts: str, asked_again: int, failed_again: int
) -> None:
    found = tally([entry(upstream=upstream, attempts=attempts)])
    assert (found["asked_again"], found["failed_again"]) == (asked_again, failed_again)


def test_a_window_counts_requests_where_the_slot_counted_both_attempts(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = [entry(upstream=f"{SLOT}, {SLOT}, {FALLBACK}", attempts="500, 500, 200")] * 10 + [entry()] * 90
    monkeypatch.setattr(observe, "counts", lambda *_: Counts(requests=7 + 110, slot_errors=2 + 20))
    monkeypatch.setattr(observe, "_journal_since", lambda _: lines)
    activation = SimpleNamespace(node=None, slots=SimpleNamespace(show=lambda _: {"NRestarts": "0"}))
    since = Mark("3f2a9c1b7d20", "a", 0.0, "", 0, Counts(requests=7, slot_errors=2))
    window = Window.read(observe.window(cast(Activation, activation), since))
    assert (window.requests, window.rescued, window.slot_errors, window.failed) == (100, 10, 10, 10)
    assert "it failed 10 of 100 requests" in judge(window.deployment, [window], [], BOUNDS).reasons[0]


def test_a_window_that_the_slot_did_not_serve_to_its_end_names_what_serves(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(observe, "counts", lambda *_: Counts())
    monkeypatch.setattr(observe, "_journal_since", lambda _: [])
    slots = SimpleNamespace(show=lambda _: {"NRestarts": "0"})
    now = State(confirmed=Placed("805a96dce6e0", "b"))
    activation = SimpleNamespace(node=None, slots=slots, load=lambda: now)
    since = Mark("3f2a9c1b7d20", "a", 0.0, "", 0, Counts())
    assert observe.observe(cast(Activation, activation), since, 0, 20)["deployment"] == "805a96dce6e0"


def test_half_of_all_requests_failing_is_obvious_and_a_few_are_not() -> None:
    window = {"requests": 20, "errors": 0, "rescued": 10, "slot_errors": 10}
    assert obvious(window)
    assert not obvious({**window, "requests": 100})
    assert not obvious({"requests": 4, "errors": 4, "rescued": 0, "slot_errors": 4})
