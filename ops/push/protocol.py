"""What git and a proc-receive hook say to each other: lines with their length before them.

https://git-scm.com/docs/githooks#proc-receive and https://git-scm.com/docs/protocol-common
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

FLUSH = b"0000"


@dataclass(frozen=True)
class Command:
    old: str
    new: str
    reference: str


def parsed(lines: Iterator[str]) -> list[Command]:
    """Commands as git writes them for hooks: `<old> <new> <reference>`."""
    return [Command(*line.rstrip("\n").split(" ", 2)) for line in lines]


def greeted(source: BinaryIO, target: BinaryIO) -> list[Command]:
    """Agrees on the version, and takes the commands. Raises `ValueError` for what is not this protocol."""
    version, *_ = [line.partition(b"\0")[0] for line in section(source)]
    if version != b"version=1":
        raise ValueError(f"git speaks {version!r}")
    target.write(packet("version=1\n") + FLUSH)
    target.flush()
    return parsed(line.decode() for line in section(source))


def section(source: BinaryIO) -> Iterator[bytes]:
    """The lines up to the next flush."""
    while (size := source.read(4)) != FLUSH:
        if len(size) < 4:
            raise ValueError("git has ended")
        yield source.read(int(size, 16) - 4).rstrip(b"\n")


def report(target: BinaryIO, reference: str, refused: str | None) -> None:
    target.write(packet(f"ok {reference}\n" if refused is None else f"ng {reference} {refused}\n") + FLUSH)
    target.flush()


def packet(line: str) -> bytes:
    content = line.encode()
    return b"%04x" % (len(content) + 4) + content
