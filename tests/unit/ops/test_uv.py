"""Which uv it is, what it goes by, and what it says when something outside is in the way."""

import re
from pathlib import Path

import pytest

from ops import node_python, uv
from ops.errors import NotNowError, UserError
from ops.packages import PROGRAMS
from ops.rollout import settings
from ops.run import CommandError, Result
from tests.unit.documents import ROOT
from tests.unit.test_rollout_settings import OUTPUT
from toolchain import pins

INDEX = "https://packages.example/simple"
UNREACHABLE = f"""error: Failed to fetch: {INDEX}/numerals/
  cause: error sending request for url ({INDEX}/numerals/)
  cause: client error (Connect)
  cause: failed to lookup address information: Name or service not known
"""
FULL = """error: Failed to download: https://files.example/a.whl
  cause: failed to write to file `/var/lib/x`: No space left on device (os error 28)
"""


def failed(stderr: str, status: int = 2) -> CommandError:
    return CommandError(["uv", "pip"], Result("", stderr, status), f"exit status {status}")


@pytest.fixture
def node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A tracking node, and where its control release has its programs."""
    monkeypatch.setattr(node_python, "on_a_node", lambda: True)
    monkeypatch.setattr(uv, "RELEASE", tmp_path)
    monkeypatch.setattr(settings, "current", lambda: settings.parsed(OUTPUT))
    programs = tmp_path / "lib" / "bin"
    programs.mkdir(parents=True)
    return programs


def test_on_a_node_it_is_the_control_releases_whatever_is_on_the_path(node: Path) -> None:
    with pytest.raises(UserError, match="this control release has no uv"):
        uv.find()
    (node / "uv").touch(0o755)
    assert uv.find() == str(node / "uv")


@pytest.mark.usefixtures("node")
def test_on_a_node_packages_come_from_where_the_stack_says_and_no_python_comes_at_all() -> None:
    given = uv.settings()
    assert given["UV_DEFAULT_INDEX"] == OUTPUT["index"] == INDEX
    assert given["UV_NO_CONFIG"] == "1"
    assert (given["UV_PYTHON"], given["UV_PYTHON_DOWNLOADS"]) == ("/usr/bin/python3", "never")


def test_elsewhere_its_user_has_set_it_up() -> None:
    assert uv.settings() == {}


@pytest.mark.parametrize(
    ("stderr", "said"),
    [
        (UNREACHABLE, f"the index {INDEX} cannot be read: failed to lookup address information: Name or .*known"),
        (FULL, "the disk is full: no room for the packages of a release"),
    ],
)
def test_what_is_outside_is_one_line_and_may_be_better_later(stderr: str, said: str) -> None:
    found = uv.explained(failed(stderr), INDEX)
    assert isinstance(found, NotNowError)
    assert re.fullmatch(said, found.message)


def test_an_index_that_is_another_than_the_stacks_is_named_by_its_address() -> None:
    found = uv.explained(failed("error: Request failed after 3 retries: https://files.example/a.whl\n"), INDEX)
    assert found.message == "https://files.example/a.whl cannot be read: it does not answer"


def test_anything_else_keeps_what_uv_said() -> None:
    error = failed("error: a wheel is broken")
    assert uv.explained(error, INDEX) is error


def test_the_one_in_the_control_release_is_the_toolchains() -> None:
    assert PROGRAMS == ("uv",)
    assert f'"uv=={pins.UV.version}"' in (ROOT / "pyproject.toml").read_text()
