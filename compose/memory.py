"""How much memory is free, by the kernel's own estimate of what a new program could have without swapping."""

from pathlib import Path

MEMORY = Path("/proc/meminfo")


def available_mib(file: Path = MEMORY) -> int:
    """https://man7.org/linux/man-pages/man5/proc_meminfo.5.html: MemAvailable, there in kB."""
    found = dict(line.split(":", 1) for line in file.read_text().splitlines())
    return int(found["MemAvailable"].split()[0]) >> 10
