"""Host keys come from the console, are pinned once, and never change silently."""

from pathlib import Path

import pytest

from ops import hostkeys
from ops.errors import UserError

KEY = "AAAAC3NzaC1lZDI1NTE5AAAAIJ0v0J1f0v0J1f0v0J1f0v0J1f0v0J1f0v0J1f0v0J1f"
OTHER = KEY.replace("0v0", "1w1")


def console(key: str) -> str:
    return (
        "[  OK  ] Started ssh.service\r\n<14>Nov 21 cloud-init: #####\r\n-----BEGIN SSH HOST KEY KEYS-----\r\n"
        f"ssh-ed25519 {key} root@ip-10-0-0-5\r\n-----END SSH HOST KEY KEYS-----\r\nlogin: "
    )


def test_the_keys_of_the_last_whole_block_are_read() -> None:
    assert hostkeys.on_console(console(OTHER) + console(KEY)) == {f"ssh-ed25519 {KEY}"}


def test_a_console_without_a_whole_block_shows_no_key() -> None:
    assert hostkeys.on_console(console(KEY).split("-----END")[0]) == set()


def test_a_key_is_pinned_under_the_instance_id_and_stays(tmp_path: Path) -> None:
    assert hostkeys.pin(tmp_path, "i-1", console(KEY))
    assert (tmp_path / "i-1").read_text() == f"i-1 ssh-ed25519 {KEY}\n"
    assert hostkeys.pin(tmp_path, "i-1", "the console has scrolled past its keys")


def test_nothing_is_pinned_while_the_console_is_silent(tmp_path: Path) -> None:
    assert not hostkeys.pin(tmp_path, "i-1", "booting")
    assert not (tmp_path / "i-1").exists()


def test_another_key_on_the_console_is_an_error_that_names_the_instance(tmp_path: Path) -> None:
    hostkeys.pin(tmp_path, "i-1", console(KEY))
    with pytest.raises(UserError, match="host keys of i-1 have changed"):
        hostkeys.pin(tmp_path, "i-1", console(OTHER))
