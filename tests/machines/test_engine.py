"""The tests' own Docker engine: it leaves nothing on the host, however the test that started it ends."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from localcloud.cgroup import Cgroup
from tests.machines.engine import GROUP, EngineImage
from tests.waiting import until

CHECKOUT = Path(__file__).resolve().parents[2]
START = """
import sys, time
from pathlib import Path
from tests.machines.engine import engine
with engine(Path(sys.argv[1]), []) as running:
    print("up", flush=True)
    time.sleep(600)
"""

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="an engine needs root")


def mounts() -> list[str]:
    folder = str(EngineImage().folder)
    return [line for line in Path("/proc/self/mountinfo").read_text().splitlines() if folder in line]


def test_an_engine_whose_test_is_killed_is_gone_with_all_that_ran_in_it(tmp_path: Path) -> None:
    path = os.pathsep.join([str(CHECKOUT), str(CHECKOUT / "cloud-init/bin")])
    argv = [sys.executable, "-c", START, str(tmp_path / "engine.log")]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": path}) as test:
        assert test.stdout
        while test.stdout.readline() != b"up\n":
            assert test.poll() is None
        assert Cgroup(GROUP).pids()
        test.send_signal(signal.SIGKILL)
    until(lambda: not Cgroup(GROUP).pids(), "the engine's processes end with the test")
    assert mounts() == []
    assert not Path("/sys/class/net/docker0").exists(), "its network was never the host's"
    Cgroup(GROUP).remove()
