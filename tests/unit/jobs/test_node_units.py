"""The units of jobs as they are rendered: closed as far as their work allows, and giving way to the model server."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from contract.node_files import node_files

analyze = shutil.which("systemd-analyze")
UNITS = {Path(file.path).name: file.content for file in node_files("serving")}


@pytest.mark.skipif(analyze is None, reason="systemd is not installed on this machine")
@pytest.mark.parametrize("name", ["slipway-jobs.service", "slipway-worker.service"])
def test_a_unit_of_jobs_is_hardened(name: str, tmp_path: Path) -> None:
    assert analyze
    file = tmp_path / name
    file.write_text(UNITS[name])
    argv = [analyze, "security", "--offline=yes", "--no-pager", str(file)]
    said = subprocess.run(argv, capture_output=True, text=True, check=False).stdout
    exposure = re.search(r"Overall exposure level for \S+: ([\d.]+)", said)
    assert exposure is not None, said[-300:]
    assert float(exposure[1]) <= 1.5


@pytest.mark.parametrize("name", ["slipway-jobs.service", "slipway-worker.service"])
def test_the_model_server_comes_first_when_the_processor_is_busy(name: str) -> None:
    assert re.search(r"^(CPUSchedulingPolicy=idle|Nice=[1-9])$", UNITS[name], re.MULTILINE)
    assert re.search(r"^MemoryMax=\d+%$", UNITS[name], re.MULTILINE)


def test_no_unit_has_the_services_of_a_node_share_the_processor_as_groups() -> None:
    assert not [
        name for name, text in UNITS.items() if re.search(r"^(CPUWeight|CPUQuota|StartupCPU)", text, re.MULTILINE)
    ]


@pytest.mark.parametrize("name", ["slipway-jobs.service", "slipway-worker.service"])
def test_what_is_away_at_start_is_waited_for(name: str) -> None:
    assert "StartLimitIntervalSec=0" in UNITS[name]
    assert "Restart=on-failure" in UNITS[name]
    assert UNITS[name].index("-m jobs.node credentials") < UNITS[name].index("ExecStart=")


def test_no_secret_stands_in_a_unit() -> None:
    for name, text in UNITS.items():
        if "jobs" in name or "worker" in name:
            assert not re.search(r"amqps?://|password=", text, re.IGNORECASE), name
