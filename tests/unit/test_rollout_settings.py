"""The bounds of a rollout, from what the stack says of them."""

import pytest

from ops import store
from ops.errors import UserError
from ops.rollout import settings

OUTPUT = {
    "alias": "champion",
    "follow_alias": True,
    "models": [],
    "bake_seconds": 60,
    "watch_seconds": 300,
    "minimum_requests": 50,
    "error_rate": 0.01,
    "latency_ratio": 2.0,
    "latency_milliseconds": 50,
    "answer_milliseconds": 1000,
    "batch_percent": 25,
    "keep_deployments": 3,
    "require_example": True,
    "require_signature": True,
    "metric": None,
    "metric_goal": "lower",
    "metric_margin": 0.0,
    "build_releases": False,
    "index": "https://packages.example/simple",
}


@pytest.fixture
def outputs(monkeypatch: pytest.MonkeyPatch) -> dict[str, object]:
    found: dict[str, object] = {"region": "us-east-1"}
    monkeypatch.setattr(store, "outputs", lambda: found)
    return found


def test_they_are_the_stacks_output(outputs: dict[str, object]) -> None:
    outputs["delivery"] = OUTPUT
    assert settings.current() == settings.Delivery(**OUTPUT)  # type: ignore[arg-type]


def test_what_a_newer_program_says_too_is_left_out() -> None:
    assert settings.parsed({**OUTPUT, "shadow_percent": 5}) == settings.parsed(OUTPUT)


def test_a_stack_without_them_is_to_be_brought_up_to_date(outputs: dict[str, object]) -> None:
    with pytest.raises(UserError, match="pulumi up"):
        settings.current()
    outputs["delivery"] = {"alias": "champion"}
    with pytest.raises(UserError, match="bake_seconds"):
        settings.current()
