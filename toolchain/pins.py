"""`pins.toml`, typed: every version and checksum that the toolchain trusts."""

import tomllib
from dataclasses import dataclass
from pathlib import Path

FILE = Path(__file__).with_name("pins.toml")


@dataclass(frozen=True)
class Uv:
    version: str
    sha256: str


@dataclass(frozen=True)
class Engine:
    version: str
    archive: str
    sha256: str
    site: str


@dataclass(frozen=True)
class Go:
    version: str
    minimum: str
    sha256: str


@dataclass(frozen=True)
class Apt:
    base: list[str]
    bench: list[str]
    machines: list[str]
    gameday: list[str]


_data = tomllib.loads(FILE.read_text())

UV = Uv(**_data["uv"])
ENGINE = Engine(**_data["engine"])
GO = Go(**_data["go"])
APT = Apt(**_data["apt"])


def version_tuple(text: str) -> tuple[int, ...]:
    """`v3.259.0-dev.1` as (3, 259, 0): what stands before the first sign that is neither digit nor dot."""
    numbers = text.strip().removeprefix("v").removeprefix("go").partition("-")[0].partition("+")[0]
    return tuple(int(part) for part in numbers.split(".") if part.isdigit())
