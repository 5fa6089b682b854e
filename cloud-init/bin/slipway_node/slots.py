"""The two slots: their folders, their units, and the links by which Nginx finds the one that serves."""

import os
import shutil
import subprocess
import time
from pathlib import Path

from slipway_node.fetch import Manifest
from slipway_node.node import Node

CURRENT = "current.sock"
PREVIOUS = "previous.sock"
SETTLE_TIMER = "slipway-settle.timer"


def systemctl(*words: str, check: bool = True) -> str:
    done = subprocess.run(["systemctl", *words], capture_output=True, text=True, check=False)
    if check and done.returncode:
        raise RuntimeError(f"systemctl {' '.join(words)}: {done.stderr.strip()}")
    return done.stdout.strip()


class Slots:
    def __init__(self, node: Node) -> None:
        self._node = node

    def linked(self, name: str) -> str | None:
        """The slot that the link `name` leads to."""
        try:
            return os.readlink(self._node.run / name).removesuffix(".sock")
        except FileNotFoundError:
            return None

    def age(self, name: str) -> float:
        """Seconds since the link was made; a clock that went back counts as none."""
        return max(0.0, time.time() - (self._node.run / name).lstat().st_mtime)

    def link(self, name: str, slot: str) -> None:
        """Atomic: every connection that Nginx makes goes to the old slot or to the new one."""
        relink(self._node.run / name, Path(f"{slot}.sock"))

    def unlink(self, name: str) -> None:
        (self._node.run / name).unlink(missing_ok=True)

    def fill(self, slot: str, manifest: Manifest) -> None:
        folder = self._node.slots / slot
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        (folder / "release").symlink_to(self._node.releases / manifest.release)
        (folder / "deployment.json").write_bytes(manifest.content)
        (folder / "environment").write_text(environment(self._node))

    def start(self, slot: str) -> None:
        unit = self._node.unit(slot)
        systemctl("reset-failed", unit, check=False)
        systemctl("start", "--no-block", unit)

    def stop(self, slot: str) -> None:
        """Returns when the last request that it had taken is answered, or its time is up."""
        systemctl("stop", self._node.unit(slot))

    def active(self, slot: str) -> bool:
        return self.show(slot)["ActiveState"] == "active"

    def show(self, slot: str) -> dict[str, str]:
        properties = ["ActiveState", "SubState", "NRestarts", "Result"]
        output = systemctl("show", f"--property={','.join(properties)}", self._node.unit(slot))
        return dict(line.split("=", 1) for line in output.splitlines())

    def settle_later(self, wanted: bool) -> None:
        """While something here is provisional, a timer asks every few seconds whether its time is up."""
        systemctl("start" if wanted else "stop", SETTLE_TIMER, check=wanted)

    def failed(self, slot: str) -> str | None:
        """Why a slot that was started will not come up, None while it still may."""
        state = self.show(slot)
        if state["ActiveState"] == "failed" or state["SubState"] == "auto-restart" or state["NRestarts"] != "0":
            return f"its process ended ({state['Result']})"
        return None

    def last_lines(self, slot: str, since: float) -> list[str]:
        subprocess.run(["journalctl", "--sync"], check=False)
        argv = ["journalctl", "--quiet", "--unit", self._node.unit(slot), "--output=cat", "--lines=25"]
        argv.append(f"--since=@{int(since)}")
        return subprocess.run(argv, capture_output=True, text=True, check=False).stdout.splitlines()


def relink(place: Path, target: Path) -> None:
    """Atomic: whoever follows the link `place` finds the old target or the new one."""
    partial = place.with_name(f".{place.name}.partial")
    partial.unlink(missing_ok=True)
    partial.symlink_to(target)
    partial.replace(place)


def environment(node: Node) -> str:
    """What the stack's settings tell the server."""
    asked = node.prediction_log
    if not asked.get("share"):
        return ""
    lines = {
        "SLIPWAY_SAMPLE": asked["share"],
        "SLIPWAY_SAMPLE_DAILY_BYTES": int(asked["daily_bytes"]),
        "SLIPWAY_SAMPLES": node.predictions,
    }
    return "".join(f"{name}={value}\n" for name, value in lines.items())
