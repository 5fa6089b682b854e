"""The journal on its way to S3: once each line, in order, and later when S3 is away."""

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest
from slipway_node import journal
from slipway_node.cloud import Cloud, UnreachableError

PREFIX = "logs/serving/i-0a/"


class Bucket:
    """Takes what is new, unless it is `down`; `dies_after` is when the node does, in mid-turn."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.down = False

    def create(self, key: str, content: bytes) -> bool:
        if self.down:
            raise UnreachableError(f"s3://bucket/{key}", "refused")
        return self.objects.setdefault(key, content) is content

    def messages(self) -> list[str]:
        files = [self.objects[key] for key in sorted(self.objects)]
        return [json.loads(line)["message"] for file in files for line in gzip.decompress(file).splitlines()]


class Journal:
    """What journalctl would print, with cursors that are the entries' numbers."""

    def __init__(self) -> None:
        self.lines: list[dict[str, Any]] = []

    def say(self, message: Any, **more: Any) -> None:
        number = len(self.lines)
        entry = {"__CURSOR": f"s=0a;i={number}", "__REALTIME_TIMESTAMP": str(1_795_000_000_000_000 + number)}
        self.lines.append({**entry, "MESSAGE": message, "PRIORITY": "6", "_SYSTEMD_UNIT": "nginx.service", **more})

    def after(self, cursor: str) -> Iterator[dict[str, Any]]:
        yield from self.lines[int(cursor.rpartition("=")[2]) + 1 if cursor else 0 :]


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> Journal:
    made = Journal()
    monkeypatch.setattr(journal, "entries", made.after)
    return made


def ship(bucket: Bucket, place: Path) -> None:
    journal.ship(cast(Cloud, bucket), place, PREFIX)


def test_each_line_is_sent_once_and_in_order(said: Journal, tmp_path: Path) -> None:
    bucket = Bucket()
    for number in range(3):
        said.say(f"line {number}")
        ship(bucket, tmp_path)
        ship(bucket, tmp_path)
    assert bucket.messages() == ["line 0", "line 1", "line 2"]
    assert len(bucket.objects) == 3
    assert all(key.startswith(PREFIX) and key.endswith(".jsonl.gz") for key in bucket.objects)


def test_while_s3_is_away_the_place_is_kept_and_nothing_is_lost(said: Journal, tmp_path: Path) -> None:
    bucket = Bucket()
    said.say("before")
    bucket.down = True
    for _ in range(3):
        with pytest.raises(UnreachableError):
            ship(bucket, tmp_path)
        said.say("meanwhile")
    bucket.down = False
    ship(bucket, tmp_path)
    assert bucket.messages() == ["before", "meanwhile", "meanwhile", "meanwhile"]


def test_a_node_that_dies_after_sending_sends_the_same_file_again(
    said: Journal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket = Bucket()
    said.say("line 0")
    with monkeypatch.context() as dying:
        dying.setattr(Bucket, "create", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            ship(bucket, tmp_path)
    waiting = journal.load(tmp_path)["waiting"]
    bucket.objects[PREFIX + waiting] = (tmp_path / journal.WAITING).read_bytes()
    said.say("line 1")
    ship(bucket, tmp_path)
    assert bucket.messages() == ["line 0", "line 1"], "the line that came meanwhile is in a file of its own"


def test_a_turn_is_bounded(said: Journal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, "FILE_BYTES", 100)
    bucket = Bucket()
    for number in range(40):
        said.say(f"line {number}")
    ship(bucket, tmp_path)
    assert 0 < len(bucket.messages()) < 40
    for _ in range(10):
        ship(bucket, tmp_path)
    assert bucket.messages() == [f"line {number}" for number in range(40)]


def test_shipping_does_not_make_more_to_ship_unless_it_failed(said: Journal, tmp_path: Path) -> None:
    bucket = Bucket()
    said.say("Finished slipway-logs.service", _SYSTEMD_UNIT="init.scope", UNIT="slipway-logs.service")
    said.say("Failed to start", _SYSTEMD_UNIT="init.scope", UNIT="slipway-logs.service", PRIORITY="3")
    said.say('{"event": "logs not shipped"}', _SYSTEMD_UNIT="slipway-logs.service")
    ship(bucket, tmp_path)
    assert bucket.messages() == ["Failed to start", '{"event": "logs not shipped"}']
    said.say("Starting slipway-logs.service", _SYSTEMD_UNIT="init.scope", UNIT="slipway-logs.service")
    ship(bucket, tmp_path)
    assert len(bucket.objects) == 1
    assert journal.load(tmp_path)["cursor"] == said.lines[-1]["__CURSOR"], "what is left out is not looked at again"


def test_what_is_no_text_is_text_and_a_long_line_is_cut(said: Journal, tmp_path: Path) -> None:
    bucket = Bucket()
    said.say([104, 105, 255])
    said.say("x" * 2 * journal.LINE_CHARACTERS)
    said.say(["one", "two"])
    ship(bucket, tmp_path)
    assert bucket.messages() == ["hi\ufffd", "x" * journal.LINE_CHARACTERS, "one\ntwo"]


def test_only_what_is_named_is_kept_of_an_entry(said: Journal, tmp_path: Path) -> None:
    bucket = Bucket()
    said.say("hello", _CMDLINE="mysql --password=secret", SYSLOG_IDENTIFIER="nginx_access")
    ship(bucket, tmp_path)
    (content,) = bucket.objects.values()
    line = json.loads(gzip.decompress(content))
    assert line == {
        "time": "2026-11-18T11:06:40.000000Z",
        "name": "nginx_access",
        "unit": "nginx.service",
        "priority": "6",
        "message": "hello",
    }
