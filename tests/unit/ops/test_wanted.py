"""What a person may name for a rollout."""

import pytest

from ops.errors import UserError
from ops.rollout.wanted import Wish


@pytest.mark.parametrize("named", ["", "latest", "3F2A9C1B7D20", "3f2a9c1b7d2"])
def test_what_is_no_deployment_id_is_refused_in_one_line_even_when_it_is_empty(named: str) -> None:
    with pytest.raises(UserError, match=rf"^deployment: '{named}' is no deployment id"):
        Wish(named)


def test_an_empty_release_is_refused_and_none_is_not() -> None:
    with pytest.raises(UserError, match=r"^release: '' is no digest of a release"):
        Wish(release="")
    assert Wish(models=["diabetes/3"]).reason == "diabetes/3"


def test_a_deployment_has_its_models_already() -> None:
    with pytest.raises(UserError, match="a deployment has its models"):
        Wish("3f2a9c1b7d20", ["diabetes/3"])
