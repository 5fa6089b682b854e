"""Names, groups and addresses that keep one checkout's local cloud apart from another's and from the host."""

from ipaddress import IPv4Network
from pathlib import Path

from localcloud import uplink
from localcloud.cgroup import Cgroup, hierarchies
from localcloud.network import port_name
from localcloud.process import command
from localcloud.state import Running, State, checkout_id, start_time

V1 = """proc /proc proc rw 0 0
cgroup /sys/fs/cgroup/memory cgroup rw,relatime,memory 0 0
cgroup /sys/fs/cgroup/systemd cgroup rw,relatime,name=systemd 0 0
cgroup2 /sys/fs/cgroup/unified cgroup2 rw,relatime 0 0
"""


def test_every_hierarchy_of_a_mixed_host_is_found_once() -> None:
    trees = hierarchies(V1 + V1)
    assert [(str(tree.mount), tree.unified) for tree in trees] == [
        ("/sys/fs/cgroup/memory", False),
        ("/sys/fs/cgroup/systemd", False),
        ("/sys/fs/cgroup/unified", True),
    ]


def test_a_program_joins_its_group_before_its_namespace_and_dies_with_its_parent() -> None:
    group = Cgroup("slipway-0a1b2c/i-1")
    group.hierarchies = hierarchies(V1)
    words = command(["sleep", "1"], cgroup=group, netns="slipway-0a1b2c")
    assert words[words.index("cgroup-join") + 1 :] == [
        "/sys/fs/cgroup/memory/slipway-0a1b2c/i-1/cgroup.procs",
        "/sys/fs/cgroup/systemd/slipway-0a1b2c/i-1/cgroup.procs",
        "/sys/fs/cgroup/unified/slipway-0a1b2c/i-1/cgroup.procs",
        "--",
        *["nsenter", "--net=/run/netns/slipway-0a1b2c", "--"],
        *["setpriv", "--pdeathsig", "KILL", "--", "sleep", "1"],
    ]


def test_a_checkout_keeps_its_uplink_while_that_is_free_and_moves_on_when_not() -> None:
    first = uplink.choose("slipway-000010", [])
    assert str(first.host) == "100.64.0.65/30"
    assert str(first.namespace) == "100.64.0.66/30"
    moved = uplink.choose("slipway-000010", [IPv4Network("100.64.0.64/28")])
    assert str(moved.host) == "100.64.0.81/30", "the whole /28 is taken, so the next /30 after it"


def test_the_last_uplink_of_the_range_wraps_around() -> None:
    assert (
        uplink.choose("slipway-0fffff", [IPv4Network("100.127.255.252/30")]).host.ip == IPv4Network("100.64.0.0/30")[1]
    )


def test_the_hosts_table_masks_only_the_uplink_and_lets_no_machine_at_the_host() -> None:
    rules = uplink.ruleset("slipway-0a1b2c", IPv4Network("100.64.0.64/30"))
    assert 'ip saddr 100.64.0.64/30 oifname != "slipway-0a1b2c" masquerade' in rules
    assert 'hook input priority filter; iifname "slipway-0a1b2c" ip protocol != icmp drop' in rules
    assert rules.count("table") == 1, "one named table, so that one delete takes everything back"


def test_interface_names_fit_the_kernels_fifteen_characters() -> None:
    assert len(port_name("a-very-long-database-identifier")) <= 15
    assert len(checkout_id(Path("/anywhere"))) <= 15


def test_two_checkouts_have_different_names_and_one_checkout_always_the_same(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    one.mkdir()
    two.symlink_to(one)
    assert checkout_id(one) == checkout_id(two)
    assert checkout_id(one) != checkout_id(tmp_path)


def test_a_daemon_counts_as_alive_only_while_that_very_process_runs(tmp_path: Path) -> None:
    state = State(tmp_path)
    state.create()
    assert state.read() is None
    running = Running(pid=1, started=start_time(1), checkout_id=state.checkout_id, published={"8080": 8081})
    state.write(running)
    assert state.read() == running
    assert running.alive
    assert not Running(pid=1, started=start_time(1) + 1, checkout_id=state.checkout_id).alive
    assert (state.folder.stat().st_mode & 0o777) == 0o700
