"""A candidate is held to what is served beside it, and to the stack's bounds."""

import json
from dataclasses import replace

import pytest

from ops.rollout.judge import Verdict, Window, judge, merged, quantile
from ops.rollout.settings import parsed
from tests.unit.test_rollout_settings import OUTPUT

BOUNDS = parsed(OUTPUT)
FAST = [(0.01, 90.0), (0.1, 100.0), (1.0, 100.0), (float("inf"), 100.0)]
SLOW = [(0.01, 0.0), (0.1, 10.0), (1.0, 100.0), (float("inf"), 100.0)]
USUAL = Window(deployment="a", seconds=60, requests=100, buckets=FAST)
CANDIDATE = replace(USUAL, deployment="b")


def verdict(candidate: Window, *others: Window) -> tuple[Verdict, str]:
    found = judge("b", [candidate], others, BOUNDS)
    return found.verdict, " ".join(found.reasons)


def test_one_that_does_as_the_others_is_good() -> None:
    assert verdict(CANDIDATE, USUAL) == (Verdict.GOOD, "")


def test_where_every_node_has_it_the_bounds_hold_alone() -> None:
    assert verdict(CANDIDATE)[0] is Verdict.GOOD
    assert verdict(replace(CANDIDATE, rescued=2))[0] is Verdict.BAD


def test_one_that_no_longer_serves_is_not_good_by_what_serves_in_its_place() -> None:
    found, why = verdict(USUAL, USUAL)
    assert found is Verdict.BAD
    assert "serves a again" in why


@pytest.mark.parametrize(
    "candidate",
    [
        replace(CANDIDATE, errors=10),
        replace(CANDIDATE, rescued=10),
        replace(CANDIDATE, slot_errors=10),
        replace(CANDIDATE, wrong=10),
    ],
)
def test_every_way_to_fail_requests_counts(candidate: Window) -> None:
    found, why = verdict(candidate, USUAL)
    assert found is Verdict.BAD
    assert "10 of 100 requests" in why


def test_a_failure_that_two_sources_saw_counts_once() -> None:
    assert replace(CANDIDATE, rescued=10, slot_errors=10).failed == 10


def test_requests_that_fail_everywhere_are_not_the_candidates_fault() -> None:
    assert verdict(replace(CANDIDATE, slot_errors=10), replace(USUAL, slot_errors=10))[0] is Verdict.GOOD


def test_a_failure_among_many_is_within_the_bound() -> None:
    assert verdict(replace(CANDIDATE, requests=1000, rescued=3), USUAL)[0] is Verdict.GOOD


def test_failures_tell_even_with_little_traffic_and_their_lack_does_not() -> None:
    assert verdict(replace(CANDIDATE, requests=3, rescued=3), USUAL)[0] is Verdict.BAD
    found, why = verdict(replace(CANDIDATE, requests=3), USUAL)
    assert found is Verdict.INSUFFICIENT
    assert "3 requests" in why


def test_requests_that_were_never_answered_by_it_are_still_requests() -> None:
    assert verdict(replace(CANDIDATE, requests=0, rescued=5), USUAL)[0] is Verdict.BAD


def test_one_that_is_slower_beyond_the_ratio_is_bad() -> None:
    found, why = verdict(replace(CANDIDATE, buckets=SLOW), USUAL)
    assert found is Verdict.BAD
    assert "50%" in why


def test_slowness_that_nobody_notices_is_allowed() -> None:
    patient = replace(BOUNDS, latency_milliseconds=2000)
    assert judge("b", [replace(CANDIDATE, buckets=SLOW)], [USUAL], patient).verdict is Verdict.GOOD


def test_quantiles_of_few_requests_are_not_compared() -> None:
    few = [(bound, count / 10) for bound, count in SLOW]
    assert verdict(replace(CANDIDATE, buckets=few), USUAL)[0] is Verdict.GOOD
    assert verdict(replace(CANDIDATE, buckets=SLOW), replace(USUAL, buckets=few))[0] is Verdict.GOOD


def test_a_server_that_starts_again_is_bad_and_workers_that_keep_ending_too() -> None:
    assert verdict(replace(CANDIDATE, restarts=1), USUAL)[0] is Verdict.BAD
    assert verdict(replace(CANDIDATE, exits=2), USUAL)[0] is Verdict.GOOD
    assert verdict(replace(CANDIDATE, exits=3), USUAL)[0] is Verdict.BAD
    assert verdict(replace(CANDIDATE, exits=3), replace(USUAL, exits=1))[0] is Verdict.GOOD


def test_quantiles_are_interpolated_and_end_at_the_last_bound() -> None:
    assert quantile(USUAL, 0.45) == pytest.approx(0.005)
    assert quantile(USUAL, 0.95) == pytest.approx(0.055)
    assert quantile(replace(USUAL, buckets=[(1.0, 0.0), (float("inf"), 10.0)]), 0.5) == 1.0
    assert quantile(replace(USUAL, buckets=[]), 0.5) is None


def test_windows_of_several_nodes_are_one() -> None:
    both = merged([replace(USUAL, restarts=1, exits=1), replace(USUAL, requests=50, errors=2)])
    assert (both.requests, both.errors, both.restarts, both.exits) == (150, 2, 1, 1)
    assert both.buckets[-1] == (float("inf"), 200.0)


def test_a_window_is_read_from_what_a_node_prints() -> None:
    printed = json.loads(
        '{"deployment": "b", "slot": "a", "seconds": 6.0, "requests": 4, "errors": 0, "rescued": 1, "slot_errors": 1,'
        ' "wrong": 0, "exits": 0, "restarts": 0, "exercised": 2, "buckets": [["0.1", 3], ["+Inf", 4]]}'
    )
    window = Window.read(printed)
    assert window.failed == 1
    assert window.buckets == [(0.1, 3.0), (float("inf"), 4.0)]
