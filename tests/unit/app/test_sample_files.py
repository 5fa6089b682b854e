"""The prediction log's folder: its bounds, and what the server and the one who ships it make of each other's files."""

import gzip
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from slipway_node import predictions
from slipway_node.cloud import UnreachableError

from app.core import sample_files
from app.core.sample_files import CURRENT, SampleFiles

LINE = b"x" * 99 + b"\n"


class Bucket:
    """Takes objects until it is `down`."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.down = False

    def create(self, key: str, content: bytes) -> bool:
        if self.down:
            raise UnreachableError("s3", "down")
        return self.objects.setdefault(key, found := gzip.decompress(content)) is found


@pytest.fixture
def files(tmp_path: Path) -> SampleFiles:
    return SampleFiles(tmp_path, daily_bytes=10**9, folder_bytes=5000, file_bytes=1000)


@pytest.fixture
def ship(tmp_path: Path) -> tuple[Callable[[], int], Bucket]:
    bucket = Bucket()
    node: Any = SimpleNamespace(predictions=tmp_path, keys={"predictions": "predictions/"})
    cloud: Any = bucket
    return lambda: predictions.ship(node, cloud), bucket


def test_the_folder_stays_below_its_bound_and_what_went_is_counted(files: SampleFiles, tmp_path: Path) -> None:
    dropped = sum(files.append(LINE)[1] for _ in range(200))
    left = sum(path.read_bytes().count(b"\n") for path in tmp_path.glob("*.jsonl"))
    assert left + dropped == 200
    assert 30 <= left <= 50
    assert sum(path.stat().st_size for path in tmp_path.glob("*.jsonl")) <= 5000


def test_the_oldest_go_first(files: SampleFiles, tmp_path: Path) -> None:
    for number in range(200):
        files.append(b"%099d\n" % number)
    kept = [int(line) for path in sorted(tmp_path.glob("*.jsonl")) for line in path.read_text().splitlines()]
    assert kept == list(range(200 - len(kept), 200))


def test_a_day_has_its_bound_and_the_next_day_another(
    files: SampleFiles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = SampleFiles(tmp_path, daily_bytes=250)
    assert [files.append(LINE)[0] for _ in range(4)] == [True, True, False, False]
    now = SimpleNamespace(now=lambda _: datetime(2030, 1, 2, tzinfo=UTC))
    monkeypatch.setattr(sample_files, "datetime", now)
    assert files.append(LINE)[0]


def test_a_count_that_a_crash_left_half_written_starts_anew(files: SampleFiles, tmp_path: Path) -> None:
    files.append(LINE)
    (tmp_path / "lock").write_text(f"{datetime.now(UTC):%Y-%m-%d} 12\x00")
    assert files.append(LINE)[0]


def test_everything_is_shipped_once_and_removed(
    files: SampleFiles, ship: tuple[Callable[[], int], Bucket], tmp_path: Path
) -> None:
    send, bucket = ship
    assert send() == 0, "nothing was written yet"
    for _ in range(25):
        files.append(LINE)
    assert send() == 3
    assert list(tmp_path.glob("*.jsonl")) == []
    assert sum(content.count(b"\n") for content in bucket.objects.values()) == 25
    day = f"predictions/day={datetime.now(UTC):%Y-%m-%d}/"
    assert all(key.startswith(day) and key.endswith(".jsonl.gz") for key in bucket.objects)
    assert send() == 0
    files.append(LINE)
    assert (tmp_path / CURRENT).exists(), "the server goes on in a new file"


def test_what_cannot_be_sent_stays_and_is_sent_later(
    files: SampleFiles, ship: tuple[Callable[[], int], Bucket], tmp_path: Path
) -> None:
    send, bucket = ship
    bucket.down = True
    dropped = 0
    for _ in range(100):  # each time a file of its own
        dropped += files.append(LINE)[1]
        with pytest.raises(UnreachableError):
            send()
    assert sum(path.stat().st_size for path in tmp_path.glob("*.jsonl")) <= 5000, "also files that are not full count"
    bucket.down = False
    send()
    assert sum(content.count(b"\n") for content in bucket.objects.values()) == 100 - dropped
