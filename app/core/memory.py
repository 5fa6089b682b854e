"""How much memory this process takes: its proportional share, since workers share what the master imported."""

from pathlib import Path

ROLLUP = Path("/proc/self/smaps_rollup")  # https://docs.kernel.org/filesystems/proc.html


def proportional_bytes(rollup: Path = ROLLUP) -> int:
    """PSS: shared pages count divided by who shares them, so that workers' numbers may be added. 0 when unknown."""
    try:
        lines = rollup.read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:")), 0)
