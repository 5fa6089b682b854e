"""`slipway batch`: every row once and in order, whatever interrupts it, from and to each kind of file."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pandas
import pytest
from click.testing import CliRunner, Result
from moto import mock_aws

from ops.batch import client, score
from ops.batch.files import Place
from ops.batch.work import folder
from ops.cli import main

from .fake_jobs import FakeJobs

ROWS = 23
CHUNK = 5


@pytest.fixture
def jobs() -> Iterator[FakeJobs]:
    found = FakeJobs()
    yield found
    found.close()


@pytest.fixture
def table() -> pandas.DataFrame:
    return pandas.DataFrame({"id": [f"row {n}" for n in range(ROWS)], "x": [float(n) for n in range(ROWS)]})


def batch(jobs: FakeJobs, *words: str) -> Result:
    return CliRunner().invoke(main, ["batch", *words, "--url", jobs.url, "--chunk", str(CHUNK), "--at-once", "3"])


def write(table: pandas.DataFrame, file: Path) -> Path:
    table.to_csv(file, index=False) if file.suffix == ".csv" else table.to_parquet(file)
    return file


def read(file: Path) -> pandas.DataFrame:
    return pandas.read_csv(file) if file.suffix == ".csv" else pandas.read_parquet(file)


@pytest.mark.parametrize("source", ["in.csv", "in.parquet"])
@pytest.mark.parametrize("output", ["out.csv", "out.parquet"])
def test_every_row_has_its_prediction_in_the_order_of_the_input(
    jobs: FakeJobs, table: pandas.DataFrame, tmp_path: Path, source: str, output: str
) -> None:
    given, wanted = write(table, tmp_path / source), tmp_path / output
    done = batch(jobs, str(given), str(wanted), "--columns", "x")
    assert done.exit_code == 0, done.output
    found = read(wanted)
    assert found["id"].tolist() == table["id"].tolist()
    assert found["prediction"].tolist() == (2 * table["x"]).tolist()
    assert [len(body) for body in jobs.bodies] == [5, 5, 5, 5, 3]
    assert all(set(row) == {"x"} for body in jobs.bodies for row in body)
    assert not Path(f"{wanted}.batch").exists(), "nothing is left beside the output"


def test_an_interrupted_run_goes_on_and_asks_nothing_twice(
    jobs: FakeJobs, table: pandas.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given, wanted = write(table, tmp_path / "in.csv"), tmp_path / "out.csv"
    take = score.Run._take
    taken: list[int] = []

    def interrupted(run: score.Run, chunk: int) -> None:
        if len(taken) == 2:
            raise KeyboardInterrupt
        taken.append(chunk)
        take(run, chunk)

    with monkeypatch.context() as patch:
        patch.setattr(score.Run, "_take", interrupted)
        first = batch(jobs, str(given), str(wanted))
    assert (first.exit_code, wanted.exists()) == (130, False)
    assert folder(Place(str(wanted))).is_dir()
    assert batch(jobs, str(given), str(wanted)).exit_code == 0
    assert read(wanted)["prediction"].tolist() == (2 * table["x"]).tolist()
    assert len(jobs.bodies) == 5, "a chunk that had been sent is the same job afterwards"


def test_an_unfinished_run_of_another_input_is_not_mixed_with_this_one(
    jobs: FakeJobs, table: pandas.DataFrame, tmp_path: Path
) -> None:
    table.loc[7, "x"] = 666
    given, wanted = write(table, tmp_path / "in.csv"), tmp_path / "out.csv"
    assert batch(jobs, str(given), str(wanted)).exit_code == 1
    table.loc[7, "x"] = 7
    write(table, given)
    refused = batch(jobs, str(given), str(wanted))
    assert (refused.exit_code, "another input" in refused.output) == (1, True)
    assert batch(jobs, str(given), str(wanted), "--restart").exit_code == 0


def test_refused_rows_are_named_and_the_others_are_kept_for_the_next_try(
    jobs: FakeJobs, table: pandas.DataFrame, tmp_path: Path
) -> None:
    table.loc[7, "x"] = 666
    given, wanted = write(table, tmp_path / "in.csv"), tmp_path / "out.csv"
    failed = batch(jobs, str(given), str(wanted))
    assert failed.exit_code == 1
    assert "rows 5 to 9: 400 row 0 cannot be borne" in failed.output
    assert not wanted.exists()
    assert batch(jobs, str(given), str(wanted)).exit_code == 1
    assert len(jobs.bodies) == 6, "only the chunk that failed was tried again"


def test_a_full_queue_is_waited_for(
    jobs: FakeJobs, table: pandas.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "PAUSE_SECONDS", 0.0)
    jobs.refusals = 4
    done = batch(jobs, str(write(table, tmp_path / "in.csv")), str(tmp_path / "out.csv"))
    assert (done.exit_code, "waiting: 429 the queue is full" in done.output) == (0, True)


def test_a_balancer_that_is_not_there_ends_it_with_a_way_on(
    table: pandas.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "PATIENCE_SECONDS", 0.0)
    words = ["batch", str(write(table, tmp_path / "in.csv")), str(tmp_path / "out.csv"), "--url", "http://127.0.0.1:9"]
    done = CliRunner().invoke(main, words)
    assert (done.exit_code, "it goes on from here" in done.output) == (1, True)


def test_a_stack_without_jobs_is_one_clear_line(jobs: FakeJobs, table: pandas.DataFrame, tmp_path: Path) -> None:
    jobs.status = 400
    done = batch(jobs, str(write(table, tmp_path / "in.csv")), str(tmp_path / "out.csv"))
    assert (done.exit_code, "setting slipway:jobs" in done.output) == (1, True)


def test_another_model_is_asked_at_its_own_address(jobs: FakeJobs, table: pandas.DataFrame, tmp_path: Path) -> None:
    assert batch(jobs, str(write(table, tmp_path / "in.csv")), str(tmp_path / "o.csv"), "--model", "a b").exit_code == 0
    assert set(jobs.paths) == {"/predict/a%20b?async=true"}


def test_integers_beside_missing_values_stay_integers(jobs: FakeJobs, tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_text("x,y\n1,a\n,b\n3,\n")
    assert batch(jobs, str(tmp_path / "in.csv"), str(tmp_path / "out.csv")).exit_code == 0
    assert jobs.bodies == [[{"x": 1, "y": "a"}, {"y": "b"}, {"x": 3}]]
    assert (tmp_path / "out.csv").read_text() == "x,y,prediction\n1,a,2.0\n,b,\n3,,6.0\n"


@pytest.mark.parametrize(
    ("predictions", "columns"),
    [
        ([1, 2], {"prediction": [1, 2]}),
        ([[1, 2], [3, 4]], {"prediction_0": [1, 3], "prediction_1": [2, 4]}),
        ([{"a": 1}, {"a": 2}], {"prediction_a": [1, 2]}),
        ([], {"prediction": []}),
    ],
)
def test_a_prediction_of_several_values_is_several_columns(predictions: list[Any], columns: dict[str, Any]) -> None:
    frame = pandas.DataFrame({"x": [1.0] * len(predictions)})
    assert score.joined(frame, predictions).drop(columns="x").to_dict("list") == columns


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["nowhere.csv", "out.csv"], "No such file"),
        (["in.txt", "out.csv"], "ends with .txt"),
        (["in.csv", "out"], "ends with nothing"),
        (["in.csv", "s3://bucket"], "ends with nothing"),
        (["in.csv", "out.csv", "--columns", "x,z"], "no column z"),
    ],
)
def test_a_mistake_is_one_line(
    jobs: FakeJobs,
    table: pandas.DataFrame,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    words: list[str],
    told: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    write(table, tmp_path / "in.csv")
    done = batch(jobs, *words)
    assert (done.exit_code, told in done.output) == (1, True), done.output


def test_a_file_in_s3_is_read_and_written_there(
    jobs: FakeJobs, table: pandas.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (
        ("AWS_ACCESS_KEY_ID", "t"),
        ("AWS_SECRET_ACCESS_KEY", "t"),
        ("AWS_DEFAULT_REGION", "us-east-1"),
    ):
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    monkeypatch.setenv("SLIPWAY_CACHE", str(tmp_path / "cache"))
    with mock_aws():
        s3 = boto3.client("s3")
        s3.create_bucket(Bucket="data")
        s3.upload_file(str(write(table, tmp_path / "in.parquet")), "data", "folder/in.parquet")
        done = batch(jobs, "s3://data/folder/in.parquet", "s3://data/out.csv")
        assert done.exit_code == 0, done.output
        s3.download_file("data", "out.csv", str(tmp_path / "out.csv"))
        missing = batch(jobs, "s3://data/nowhere.csv", "s3://data/out.csv")
        assert (missing.exit_code, "there is no s3://data/nowhere.csv" in missing.output) == (1, True)
    assert read(tmp_path / "out.csv")["prediction"].tolist() == (2 * table["x"]).tolist()
