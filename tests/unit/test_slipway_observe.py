"""What a node counts in a window: the slot's own counters, and what Nginx says of the slot."""

import json

from slipway_node.observe import Counts, obvious, parse, tally

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


def entry(status: str = "200", path: str = "/invocations", upstream: str = "unix:/run/slipway/current.sock") -> str:
    return json.dumps({"event": "request", "path": path, "status": status, "upstream": upstream})


def test_counters_are_summed_over_models_and_protocols_and_overload_is_no_error() -> None:
    assert parse(METRICS) == Counts(100, 4, 2, {"0.1": 85, "+Inf": 100})


def test_a_request_that_the_fallback_answered_was_rescued() -> None:
    rescued = entry(upstream="unix:/run/slipway/current.sock, unix:/run/slipway/previous.sock")
    again = entry(upstream="unix:/run/slipway/current.sock, unix:/run/slipway/current.sock")
    assert tally([entry(), rescued, again]) == {"requests": 3, "errors": 0, "rescued": 1}


def test_a_candidate_on_trial_and_what_serves_are_counted_apart() -> None:
    candidate, current = "unix:/run/slipway-trial/candidate.sock", "unix:/run/slipway/current.sock"
    lines = [entry(), entry(upstream=candidate), entry(upstream=f"{candidate}, {current}"), entry("500")]
    assert tally(lines) == {"requests": 2, "errors": 1, "rescued": 0}
    assert tally(lines, candidate=True) == {"requests": 2, "errors": 0, "rescued": 1}


def test_what_both_failed_is_an_error_once() -> None:
    both = entry("500", upstream="unix:/run/slipway/current.sock, unix:/run/slipway/previous.sock")
    assert tally([both, entry("503"), entry("400")]) == {"requests": 3, "errors": 1, "rescued": 0}


def test_probes_and_other_lines_are_not_predictions() -> None:
    assert tally([entry(path="/readyz"), "not JSON", '{"event": "start"}', "[]"])["requests"] == 0


def test_half_of_all_requests_failing_is_obvious_and_a_few_are_not() -> None:
    window = {"requests": 20, "errors": 0, "rescued": 10, "slot_errors": 10}
    assert obvious(window)
    assert not obvious({**window, "requests": 100})
    assert not obvious({"requests": 4, "errors": 4, "rescued": 0, "slot_errors": 4})
