"""Ansible on nodes that nothing but cloud-init has touched, and what must stop it."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ops.environment import STACK
from tests.machines import models
from tests.machines.live import Live
from tests.machines.load import Load
from tests.unit.documents import ROOT, block
from tests.waiting import until

if TYPE_CHECKING:
    from ops.example import Trained


README = ROOT / "README.md"


def changes(output: str) -> dict[str, int]:
    """How much each host changed, from a play's recap."""
    return {host: int(count) for host, count in re.findall(r"^(\S+)\s+: ok=\d+ +changed=(\d+)", output, re.MULTILINE)}


def test_the_inventory_has_every_node_by_role(stack: Live) -> None:
    found = json.loads(stack.run("playbooks/inventory/slipway.py", "--list").stdout)
    assert len(found["serving"]["hosts"]) == 2
    assert len(found["tracking"]["hosts"]) == 1
    assert "StrictHostKeyChecking=no" not in json.dumps(found)


def test_a_node_that_cloud_init_made_is_what_the_playbook_wants(stack: Live) -> None:
    """By the README's own line."""
    (line,) = (line for line in block(README, "stack output").splitlines() if line.startswith("ansible-playbook "))
    changed = changes(stack.run("sh", "-ec", f"{line} --diff").stdout)
    assert len(changed) == 3
    assert set(changed.values()) == {0}


def test_what_was_changed_by_hand_is_put_right_and_nothing_else_and_nginx_is_reloaded_out_of_the_balancer(
    stack: Live, example: "Trained", first: models.Deployed
) -> None:
    one, other = stack.nodes("serving")
    stack.shell(one, "chmod", "0600", "/usr/local/lib/slipway/slipway-boot-serving")
    stack.shell(other, "sh", "-c", "echo '# by hand' >> /etc/nginx/nginx.conf")
    with Load(stack.url, models.body(example.rows), {first.id: first.value}) as load:
        until(lambda: load.deployments, "the first answer under load")
        changed = changes(stack.playbook("site.yml").stdout)
        stack.until_whole("serving")
    (tracking,) = stack.nodes("tracking")
    reloaded = 4  # the file, out of the balancer, the reload, and in again
    assert changed == {one.name: 1, other.name: reloaded, tracking.name: 0}
    assert load.failures == [], load


def test_a_second_run_changes_nothing(stack: Live) -> None:
    node = stack.nodes("serving")[0]
    assert changes(stack.playbook("site.yml", "--limit", node.name).stdout) == {node.name: 0}


def test_a_stack_without_nodes_is_an_error_and_no_success(stack: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLIPWAY_STACK", "nobody")
    result = stack.playbook("site.yml", check=False)
    assert result.returncode != 0
    assert "stack nobody has no running node" in result.stdout + result.stderr


def test_a_roll_out_to_a_stack_without_nodes_is_an_error_too(stack: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLIPWAY_STACK", "nobody")
    assert stack.playbook("deploy.yml", "-e", f"deployment={models.NO_DEPLOYMENT}", check=False).returncode != 0


@pytest.fixture
def forged(stack: Live) -> Iterator[str]:
    """A node whose pinned host key is another's: as when somebody is in between."""
    one, other = stack.nodes("serving")
    folder = stack.checkout / ".slipway" / "known_hosts" / STACK
    pinned, kept = folder / one.id, (folder / one.id).read_text()
    pinned.write_text((folder / other.id).read_text().replace(other.id, one.id))
    yield one.name
    pinned.write_text(kept)


def test_a_changed_host_key_is_an_error(stack: Live, forged: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANSIBLE_SSH_ARGS", "-o ControlMaster=no -o ControlPath=none")
    result = stack.playbook("site.yml", "--check", "--limit", forged, check=False)
    said = result.stdout + result.stderr
    assert result.returncode != 0
    assert "Host key verification failed" in said or "host keys" in said


def test_keys_are_pinned_and_the_users_own_known_hosts_stay_as_they_were(stack: Live) -> None:
    pinned = {path.name for path in (stack.checkout / ".slipway" / "known_hosts" / STACK).iterdir()}
    ids = {node.id for role in ("serving", "tracking") for node in stack.nodes(role)}
    assert ids <= pinned
    own = Path.home() / ".ssh" / "known_hosts"
    assert not own.exists() or not any(name in own.read_text() for name in ids)
