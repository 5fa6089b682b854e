"""Listener rules as HAProxy's words."""

import re
from ipaddress import IPv4Network

import pytest

from localcloud.balancer import rules
from localcloud.model import Action, ListenerRule
from tests.worlds import FORWARD, NOT_FOUND

REDIRECT = Action(kind="redirect", redirect={"Protocol": "HTTPS", "Port": "443", "StatusCode": "HTTP_301"})


@pytest.mark.parametrize(
    ("glob", "path", "matches"),
    [
        ("/predict", "/predict", True),
        ("/predict", "/predict/a", False),
        ("/predict/*", "/predict/", True),
        ("/predict/*", "/predict/a/b", True),
        ("/v?", "/v2", True),
        ("/v?", "/v", False),
        ("/a.b", "/aXb", False),
        ("/a(b", "/a(b", True),
    ],
)
def test_a_star_is_any_run_and_a_question_mark_one_character(glob: str, path: str, matches: bool) -> None:
    assert bool(re.search(rules.pattern(glob), path)) == matches


def test_a_quote_in_a_pattern_ends_no_word() -> None:
    assert rules.quote("it's") == "'it'\\''s'"


def test_all_kinds_of_conditions_must_hold_and_one_value_of_each() -> None:
    rule = ListenerRule(
        arn="r",
        priority=1,
        path_patterns=("/a", "/b"),
        host_headers=("x.org",),
        methods=("GET",),
        source_cidrs=(IPv4Network("10.0.0.0/8"),),
        headers={"X-Kind": ("k",)},
        action=FORWARD,
    )
    assert rules.condition(rule) == (
        r"{ path -m reg '^/a$' '^/b$' } { var(txn.host) -m reg -i '^x\.org$' } { method -m str 'GET' } "
        "{ src 10.0.0.0/8 } { req.hdr(X-Kind) -m reg -i '^k$' }"
    )


def test_the_first_rule_that_matches_wins() -> None:
    listed = [
        ListenerRule(arn="1", priority=1, path_patterns=("/a",), action=FORWARD),
        ListenerRule(arn="2", priority=None, action=NOT_FOUND),
    ]
    assert rules.choose(listed) == [
        "http-request set-var(txn.rule) int(0) if !{ var(txn.rule) -m found } { path -m reg '^/a$' }",
        "http-request set-var(txn.rule) int(1) if !{ var(txn.rule) -m found }",
    ]


def test_a_group_without_healthy_targets_sends_to_all_and_one_without_targets_answers_503() -> None:
    assert rules.forward(0, FORWARD, [("healthy-g", "all-g", 1)]) == [
        "use_backend healthy-g if { var(txn.rule) -m int 0 } { nbsrv(healthy-g) gt 0 } "
        "|| { var(txn.rule) -m int 0 } { stopping }",
        "use_backend all-g if { var(txn.rule) -m int 0 } { nbsrv(all-g) gt 0 }",
        "use_backend none if { var(txn.rule) -m int 0 }",
    ]


def test_weights_share_one_draw_and_a_group_of_weight_zero_gets_nothing() -> None:
    action = Action(kind="forward", weights={"a": 1, "b": 9, "c": 0})
    lines = rules.forward(3, action, [("ha", "aa", 1), ("hb", "ab", 9), ("hc", "ac", 0)])
    assert rules.shares(3, action) == ["http-request set-var(txn.share3) rand(10) if { var(txn.rule) -m int 3 }"]
    assert [line.split()[1] for line in lines] == ["ha", "aa", "none", "hb", "ab", "none"]
    assert "{ var(txn.share3) -m int lt 1 }" in lines[0]
    assert "{ var(txn.share3) -m int lt 10 }" in lines[3]


def test_a_redirect_keeps_what_it_does_not_change() -> None:
    assert rules.location(REDIRECT) == "https://%[var(txn.host)]:443%[path]"
    assert rules.answer(0, REDIRECT, None) == [
        "http-request redirect code 301 location 'https://%[var(txn.host)]:443%[path]?%[query]' "
        "if { var(txn.rule) -m int 0 } { query -m found }",
        "http-request redirect code 301 location 'https://%[var(txn.host)]:443%[path]' if { var(txn.rule) -m int 0 }",
    ]


def test_a_percent_sign_in_a_redirect_is_literal() -> None:
    assert rules.format_string("/a%20b") == "/a%%20b"
