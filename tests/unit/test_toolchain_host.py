"""`toolchain.host`: which machine will do, and what it lacks."""

import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ops.errors import UserError
from ops.steps import Steps
from toolchain import host
from toolchain.host import Host

DEBIAN = Host(
    system="Linux",
    machine="x86_64",
    distributions=frozenset({"debian"}),
    name="Debian GNU/Linux 12 (bookworm)",
    root=True,
    sudo=False,
)
LISTING = "zstd installed\nmmdebstrap config-files\nnftables not-installed\n"


def test_debian_ubuntu_and_what_is_made_of_them_will_do() -> None:
    for distributions in ({"debian"}, {"ubuntu", "debian"}, {"linuxmint", "ubuntu", "debian"}):
        host.check(replace(DEBIAN, distributions=frozenset(distributions)))


@pytest.mark.parametrize(
    ("change", "value"),
    [
        ({"system": "Darwin"}, "Darwin"),
        ({"machine": "aarch64"}, "aarch64"),
        ({"distributions": frozenset({"fedora"}), "name": "Fedora Linux 43"}, "Fedora Linux 43"),
    ],
)
def test_another_machine_is_refused_in_one_line_with_its_name_and_a_way_out(change: dict[str, Any], value: str) -> None:
    with pytest.raises(UserError) as caught:
        host.check(replace(DEBIAN, **change))
    assert value in caught.value.message
    assert "\n" not in caught.value.message
    assert caught.value.hint


def test_this_machine_is_described() -> None:
    assert host.this_host().system == "Linux"


def test_os_release_is_read_with_and_without_quotes() -> None:
    assert host.os_release('ID=debian\nPRETTY_NAME="Debian 12"\n# x=y\n\n') == {
        "ID": "debian",
        "PRETTY_NAME": "Debian 12",
    }


def test_a_removed_package_whose_configuration_stayed_is_missing() -> None:
    assert host.not_installed(["zstd", "mmdebstrap", "nftables", "absent"], LISTING) == [
        "mmdebstrap",
        "nftables",
        "absent",
    ]


def test_root_needs_no_sudo_and_a_user_hands_on_only_what_is_named() -> None:
    assert host.as_root(DEBIAN, ["true"]) == ["true"]
    user = replace(DEBIAN, root=False, sudo=True)
    assert host.as_root(user, ["true"], ["A", "B"]) == ["sudo", "--preserve-env=A,B", "true"]


def test_without_root_and_sudo_the_packages_to_install_are_named() -> None:
    user = replace(DEBIAN, root=False)
    with pytest.raises(UserError) as caught, Steps(io.StringIO()).step("system packages") as step:
        host.install(user, ["zstd"], step)
    assert "missing system packages: zstd" in caught.value.message
    assert "apt-get install --no-install-recommends zstd" in caught.value.hint


def test_machines_need_root_and_the_reason_is_said() -> None:
    assert host.why_no_machines(DEBIAN) == ""
    assert "neither root nor let in by sudo" in host.why_no_machines(replace(DEBIAN, root=False))


@pytest.mark.parametrize(
    ("lets_in", "terminal", "may"), [(True, False, True), (False, True, True), (False, False, False)]
)
def test_sudo_counts_when_it_lets_this_user_in_or_can_ask_for_a_password(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lets_in: bool, terminal: bool, may: bool
) -> None:
    (tmp_path / "sudo").write_text(f"#!/bin/sh\nexit {int(not lets_in)}\n")
    (tmp_path / "sudo").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("sys.stdin.isatty", lambda: terminal)
    assert host.may_sudo() is may


def test_work_done_as_root_gets_our_variables_and_the_proxies_and_no_others(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SLIPWAY_CACHE", "https_proxy", "AWS_PROFILE"):
        monkeypatch.setenv(name, "x")
    assert {"SLIPWAY_CACHE", "https_proxy"} <= set(host.handed_on())
    assert "AWS_PROFILE" not in host.handed_on()
