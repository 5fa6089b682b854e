"""Large payloads in a folder, where there is no S3."""

import os
import time
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pytest

from jobs import config, ids, payloads, sweeper
from jobs.config import Config, Limits
from jobs.folder import AwayError, Folder, RefusedError
from jobs.payloads import Payloads


def kept(place: Path, limit: int = 1000) -> Payloads:
    return Payloads(Folder(place, limit), "jobs/", 10)


def names(place: Path) -> set[str]:
    return {path.name for path in place.iterdir()}


def test_what_was_put_comes_back_and_goes_with_its_job(tmp_path: Path) -> None:
    job, other = ids.new(), ids.new()
    found = kept(tmp_path)
    found.put_input(job, b"input")
    found.put_result(job, 2, b"result")
    found.put_input(other, b"of another")
    assert (found.get_input(job), found.get_result(job, 2)) == (b"input", b"result")
    found.remove([(job, 2)])
    assert names(tmp_path) == {f"jobs+{other}+input"}


def test_inputs_leave_half_of_the_room_to_the_results(tmp_path: Path) -> None:
    job = ids.new()
    found = kept(tmp_path, limit=100)
    found.put_input(job, b"x" * 50)
    with pytest.raises(RefusedError, match="50 bytes of large payloads are kept, and 50 may be"):
        found.put_input(ids.new(), b"x")
    found.put_result(job, 1, b"x" * 50)
    with pytest.raises(RefusedError, match="100 may be"):
        found.put_result(job, 2, b"x")
    assert names(tmp_path) == {f"jobs+{job}+input", f"jobs+{job}+result-1"}


def test_another_process_counts_what_is_there(tmp_path: Path) -> None:
    kept(tmp_path, limit=100).put_input(ids.new(), b"x" * 50)
    with pytest.raises(RefusedError):
        kept(tmp_path, limit=100).put_input(ids.new(), b"x")


def test_a_file_that_is_gone_is_final_and_a_folder_that_is_away_is_not(tmp_path: Path) -> None:
    with pytest.raises(RefusedError, match="is gone"):
        kept(tmp_path).get_input(ids.new())
    away = kept(tmp_path / "nowhere")
    for act in (lambda: away.put_input(ids.new(), b"x"), lambda: away.forgotten(1)):
        with pytest.raises(AwayError, match="No such file"):
            act()
    assert AwayError in payloads.AWAY
    assert RefusedError in payloads.REFUSED


def test_only_payloads_that_are_old_and_whose_jobs_are_gone_are_swept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    there, gone, young = ids.new(), ids.new(), ids.new()
    kept(tmp_path).put_input(young, b"x")
    for job in (there, gone):
        kept(tmp_path).put_input(job, b"x")
        os.utime(tmp_path / f"jobs+{job}+input", (time.time() - 7200,) * 2)
    asked: list[set[UUID]] = []

    def rows(statement: str, given: Sequence[Any] = ()) -> list[Any]:
        if statement != sweeper.THERE:
            return []
        asked.append(set(given[0]))
        return [SimpleNamespace(id=there)]

    made = Config(
        stack="tests",
        broker_url="",
        broker_ca=None,
        conninfo="",
        bucket="",
        prefix="jobs/",
        model_server=Path("/"),
        limits=Limits(retention_hours=1),
        folder=tmp_path,
        folder_bytes=1000,
    )
    found = sweeper.Sweeper(made, SimpleNamespace(rows=rows))  # type: ignore[arg-type]
    monkeypatch.setattr(found, "_link", SimpleNamespace(waiting=lambda: 0))
    found.sweep()
    assert asked == [{there, gone}]
    assert names(tmp_path) == {f"jobs+{job}+input" for job in (there, young)}


def test_the_configuration_names_a_bucket_or_a_folder(tmp_path: Path) -> None:
    both = """{"stack": "s", "broker": {"url": "amqp://a"}, "database": {"host": "h", "name": "n", "user": "u"},
 "model_server": "/m", %s}"""
    file = tmp_path / "jobs.json"
    file.write_text(both % '"payloads": {"folder": "/srv/slipway-jobs", "bytes": 7}')
    found = config.read(file)
    assert (found.folder, found.folder_bytes) == (Path("/srv/slipway-jobs"), 7)
    file.write_text(both % '"bucket": "b"')
    assert (config.read(file).bucket, config.read(file).folder) == ("b", None)
    file.write_text(both % '"prefix": "jobs/"')
    with pytest.raises(config.ConfigError, match="bucket"):
        config.read(file)
