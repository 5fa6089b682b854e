"""The verbs of the local cloud, as far as they need none to run."""

import os

import pytest
from click.testing import CliRunner

from localcloud import cli


def test_every_verb_finds_the_programs_that_an_ordinary_path_lacks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    CliRunner().invoke(cli.main, ["status", "--json"])
    assert os.environ["PATH"] == "/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin", "nft is in /usr/sbin"
