"""`ops.training.judge`: when a candidate takes over, and what is said when it does not."""

import pytest

from ops.errors import UserError
from ops.training.judge import Decision, Rule, decide, rule

LOWER = Rule("rmse", "lower", 0.5)


@pytest.mark.parametrize(
    ("candidate", "champion", "decision"),
    [
        (50.0, None, Decision.FIRST),
        (49.4, 50.0, Decision.BETTER),
        (49.5, 50.0, Decision.NOT_BETTER),
        (50.0, 50.0, Decision.NOT_BETTER),
        (51.0, 50.0, Decision.NOT_BETTER),
    ],
)
def test_it_must_be_better_by_more_than_the_margin(
    candidate: float, champion: float | None, decision: Decision
) -> None:
    assert decide(LOWER, candidate, champion, same_answers=False)[0] is decision


def test_higher_is_better_where_that_is_said() -> None:
    assert decide(Rule("f1", "higher", 0.0), 0.8, 0.7, same_answers=False)[0] is Decision.BETTER
    assert decide(Rule("f1", "higher", 0.0), 0.6, 0.7, same_answers=False)[0] is Decision.NOT_BETTER


def test_the_reason_has_both_figures_and_the_margin() -> None:
    assert decide(LOWER, 49.8, 50.0, same_answers=False)[1] == (
        "rmse 49.8, the champion's is 50, and must be better by more than 0.5"
    )
    assert decide(LOWER, 52.0, 50.0, same_answers=False)[1] == "rmse 52, the champion's is 50: not better"


def test_the_champion_over_again_is_told_as_that() -> None:
    decision, why = decide(LOWER, 50.0, 50.0, same_answers=True)
    assert decision is Decision.EQUAL
    assert "equal to the champion" in why
    assert not decision.promotes


def test_what_the_pipeline_leaves_open_is_known_of_common_metrics() -> None:
    assert rule({"mae": 1.0, "r2": 0.5}, None, None, 0.0) == Rule("mae", "lower", 0.0)
    assert rule({"mae": 1.0, "r2": 0.5}, "r2", None, 0.1) == Rule("r2", "higher", 0.1)


def test_a_metric_that_nobody_knows_needs_a_direction() -> None:
    with pytest.raises(UserError, match="whether a higher profit is better"):
        rule({"profit": 1.0}, None, None, 0.0)
    assert rule({"profit": 1.0}, None, "higher", 0.0).direction == "higher"


def test_a_metric_that_evaluate_does_not_give_is_refused() -> None:
    with pytest.raises(UserError, match="evaluate gives no rmse") as refused:
        rule({"mae": 1.0}, "rmse", "lower", 0.0)
    assert "mae" in refused.value.hint
