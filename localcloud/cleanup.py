"""Finds and removes what a local cloud of this checkout left behind, however it ended.

Everything that can outlive a daemon is found by the checkout's id, never by a list that somebody had to write in time:
processes by control group, namespaces and rules by name, files by folder. The API's world died with the daemon, so the
local stack's Pulumi state describes nothing any more and goes too.
"""

import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path

from localcloud import orphans, uplink
from localcloud.cgroup import Cgroup
from localcloud.machine import PROPAGATE
from localcloud.network import Network
from localcloud.state import State
from ops.run import run

MOUNTS = Path("/proc/self/mountinfo")
# What a daemon writes beside its logs. The folder of a machine that is gone holds its console, and the record of calls
# holds what its roles did, to be read until the next start.
FOLDERS = ("machines", "databases", "balancers", "dns", "faults")


def leftovers(state: State) -> dict[str, Callable[[], object]]:
    """What there is, in words, each with what removes it, in the order in which to remove."""
    group, network = Cgroup(state.checkout_id), Network(state.checkout_id)
    found: dict[str, Callable[[], object]] = {}
    if pids := group.pids():
        found[f"{len(pids)} processes"] = group.kill
    if left := orphans.orphans(state):
        found[f"{len(left)} processes of a killed pulumi"] = partial(orphans.end, state)
    for mount in reversed(_mounts(state.folder)):
        found[f"mount {mount}"] = partial(run, ["umount", "--lazy", mount])
    if names := network.namespaces():
        found[f"network namespace {', '.join(names)}"] = network.destroy
    elif uplink.exists(state.checkout_id):
        found[f"interface or nftables table {state.checkout_id}"] = network.destroy
    disks = list(state.folder.glob("machines/*/upper"))
    if disks:
        found[f"disks of {len(disks)} machines"] = partial(_remove, [disk.parent for disk in disks])
    if databases := list(state.folder.glob("databases/*")):
        found[f"files of {len(databases)} databases"] = partial(_remove, databases)
    if propagated := list(PROPAGATE.glob(f"{state.checkout_id}-*")):
        found[f"{PROPAGATE}/{state.checkout_id}-*"] = partial(_remove, propagated)
    if list(state.pulumi.glob(".pulumi/stacks/**/*.json")):
        found["the local stack's Pulumi state (its cloud is gone)"] = partial(_remove, [state.pulumi])
    return found


def clean(state: State, say: Callable[[str], None]) -> None:
    """Removes it all, saying what. Raises `ExceptionGroup` of what could not be removed, after trying everything."""
    errors: list[Exception] = []
    for name, remove in leftovers(state).items():
        try:
            remove()
            say(f"removed {name}")
        except Exception as error:  # each is reported, none stops the others
            error.add_note(f"while removing {name}")
            errors.append(error)
    # A daemon cannot remove the group that it is in itself, nor does it remove consoles: that is nothing to tell of.
    forgotten = [*(state.folder / name for name in FOLDERS), *state.folder.glob(f"{state.calls.name}*")]
    for act in (Cgroup(state.checkout_id).remove, partial(_remove, forgotten)):
        try:
            act()
        except OSError as error:
            errors.append(error)
    if errors:
        raise ExceptionGroup("not everything could be removed", errors)


def _mounts(folder: Path) -> list[str]:
    points = [line.split()[4].replace(r"\040", " ") for line in MOUNTS.read_text().splitlines()]
    return [point for point in points if Path(point).is_relative_to(folder)]


def _remove(paths: list[Path]) -> None:
    for path in paths:
        if path.is_file():
            path.unlink()
        elif path.exists():
            shutil.rmtree(path)
