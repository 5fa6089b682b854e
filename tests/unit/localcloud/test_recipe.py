"""The image's recipe: what goes in, what must stay out, and that its digest follows it."""

from pathlib import Path

import pytest

from contract import PACKAGES
from localcloud import recipe
from localcloud.image import NO_NETWORK, NO_SPACE, Image


def test_the_image_holds_every_package_that_a_node_would_otherwise_install() -> None:
    assert {*PACKAGES.serving, *PACKAGES.tracking, *PACKAGES.broker, *PACKAGES.pipeline} <= set(recipe.packages())


def test_no_service_of_the_local_cloud_starts_in_a_machine() -> None:
    assert {"haproxy.service", "postgresql.service"} <= set(recipe.MASKED)


def test_machines_share_no_identity() -> None:
    assert "etc/ssh/ssh_host_*" in recipe.REMOVED
    assert "etc/hostname" in recipe.REMOVED
    assert recipe.FILES["etc/machine-id"] == ""


def test_another_recipe_is_another_image(monkeypatch: pytest.MonkeyPatch) -> None:
    before = recipe.digest()
    assert recipe.digest() == before
    monkeypatch.setattr(recipe, "MASKED", [*recipe.MASKED, "another.service"])
    assert recipe.digest() != before


def test_a_mirror_serves_packages_and_security_updates(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLIPWAY_DEBIAN_MIRROR", "http://mirror.example/debian/")
    addresses = [line.partition("http")[2].split()[0] for line in recipe.sources()]
    assert set(addresses) == {"://mirror.example/debian", "://mirror.example/debian-security"}


def test_a_full_disk_and_a_lost_network_are_told_apart() -> None:
    full = "dpkg: error: cannot copy extracted data: failed to write (No space left on device)"
    gone = "Err:1 http://deb.debian.org/debian bookworm InRelease\n  Temporary failure resolving 'deb.debian.org'"
    assert NO_SPACE.search(full)
    assert not NO_NETWORK.search(full)
    assert NO_NETWORK.search(gone)
    assert not NO_SPACE.search(gone)


def test_a_program_from_the_image_runs_as_its_user_and_dies_with_its_parent(tmp_path: Path) -> None:
    image = Image(cache=tmp_path)
    words = image.command(["postgres", "-D", "/data"], {Path("/host/data"): "/data"}, netns="n", user="postgres")
    assert words[:3] == ["nsenter", "--net=/run/netns/n", "--"]
    assert words[words.index("image") + 3 :] == [
        *["/host/data", "/data", "--", "/usr/bin/setpriv", "--reuid", "postgres", "--regid", "postgres"],
        *["--init-groups", "--pdeathsig", "KILL", "--", "postgres", "-D", "/data"],
    ], "a change of user clears the wish to die with the parent, so it comes last"
