"""What workers count, and that adding it up loses nothing and grows no further, whoever ends and when."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from app.core import meters, snapshots
from app.core.memory import proportional_bytes
from app.core.meters import Meters
from app.core.snapshots import Folder, Series, summed

Worker = Callable[[int], Meters]

FEW: dict[str, Any] = {"ready": True, "in_flight": 0}


@pytest.fixture
def worker(tmp_path: Path) -> Iterator[Worker]:
    """Makes a started worker's meters; all share one folder, as in one slot."""
    meters.folder(tmp_path, "a", "d1")
    made: list[Meters] = []

    def make(number: int) -> Meters:
        one = Meters(Folder(tmp_path / "a.meters", f"d1 {meters.SECONDS} {meters.SIZES}", meters.forget))
        one.start(number, lambda: FEW)
        made.append(one)
        return one

    yield make
    for one in made:
        one._stopped.set()


def answered(found: Meters) -> float:
    """Requests that any worker would report now."""
    workers, past = found.collect()
    total = summed([past, *(one.series for one in workers)])
    return sum(sum(numbers[:-1]) for key, numbers in total.items() if key[0] == meters.REQUEST)


def numbers(found: Meters, *key: str) -> list[float]:
    workers, past = found.collect()
    return summed([past, *(one.series for one in workers)])[key]


def test_a_histogram_is_the_counts_of_its_buckets_and_the_sum() -> None:
    found = Meters()
    found.requests("m", "1", "predict", 200, [0.0001, 0.3, 100.0])
    counts = numbers(found, meters.REQUEST, "m", "1", "predict", "2xx")
    assert counts[0] == 1, "a bound belongs to its bucket"
    assert counts[meters.SECONDS.index(0.5)] == 1
    assert counts[-2] == 1, "what is above every bound has the last bucket"
    assert counts[-1] == pytest.approx(100.3001)


def test_a_batch_counts_its_rows_its_requests_and_both_times() -> None:
    found = Meters()
    found.batch("m", "1", rows=40, requests=3, queue_seconds=0.02, predict_seconds=0.001)
    assert numbers(found, meters.BATCH_ROWS, "m", "1")[-1] == 40
    assert numbers(found, meters.BATCH_REQUESTS, "m", "1")[meters.SIZES.index(4)] == 1
    assert numbers(found, meters.QUEUE, "m", "1")[-1] == 0.02
    assert numbers(found, meters.PREDICT, "m", "1")[meters.SECONDS.index(0.001)] == 1


def test_no_observation_is_lost_between_threads() -> None:
    found = Meters()

    def count() -> None:
        for _ in range(5000):
            found.request("m", "1", "v2", 200, 0.01)
            found.error("m", "1", "bad_input")

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        found.publish()
    assert answered(found) == 20000
    assert numbers(found, meters.ERROR, "m", "1", "bad_input") == [20000]


def test_every_worker_speaks_for_all(worker: Worker) -> None:
    first, second = worker(1), worker(2)
    first.request("m", "1", "predict", 200, 0.1)
    second.request("m", "1", "mlflow", 400, 0.1)
    first.publish()
    assert answered(second) == 2
    assert answered(first) == 2
    assert [one.number for one in first.collect()[0]] == [1, 2]


def test_what_was_reported_once_is_never_taken_back_by_a_death(worker: Worker) -> None:
    first, second = worker(1), worker(2)
    first.request("m", "1", "predict", 200, 0.1)
    assert answered(first) == 1
    first._stopped.set()  # as kill -9 leaves it: no last snapshot
    second.fold(1)
    assert answered(second) == 1
    second.fold(1)
    assert answered(second) == 1, "folding twice counts once"


def test_a_worker_folded_while_someone_reads_is_counted_once(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = worker(1), worker(2)
    first.request("m", "1", "predict", 200, 0.1)
    first.stop()
    past = Folder._past

    def folded_first(folder: Folder) -> tuple[Series, list[int]]:
        monkeypatch.setattr(Folder, "_past", past)
        second.fold(1)
        return past(folder)

    monkeypatch.setattr(Folder, "_past", folded_first)
    assert answered(second) == 1


def test_a_hundred_workers_that_came_and_went_leave_one_file(worker: Worker, tmp_path: Path) -> None:
    sizes = []
    for number in range(1, 101):
        one = worker(number)
        one.request("m", "1", "predict", 200, 0.1)
        one.stop()
        one.fold(number)
        sizes.append((tmp_path / "a.meters" / snapshots.PAST).stat().st_size)
    assert [path.name for path in (tmp_path / "a.meters").iterdir()] == [snapshots.PAST]
    assert sizes[-1] - sizes[0] < 1000
    assert answered(worker(101)) == 100


def test_the_ring_forgets_what_is_older_than_five_minutes(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1_000_000.0]
    monkeypatch.setattr(time, "time", lambda: now[0])
    found = Meters()
    for _ in range(200):
        found.request("m", "1", "predict", 200, 0.1)
        found.request("", "", meters.SERVER, 200, 0.1)
        found.publish()
        now[0] += 3
    recent = {key: value for key, value in found.publish().series.items() if key[0] == meters.RECENT}
    assert 60 <= len(recent) <= 61
    assert {key[2] for key in recent} == {"m"}, "health checks are no predictions"
    assert min(float(key[1]) for key in recent) >= now[0] - 300
    assert answered(found) == 400, "the counters forget nothing"


def test_a_master_that_starts_again_carries_its_own_past_on_and_no_others(worker: Worker, tmp_path: Path) -> None:
    left = worker(1)
    left.request("m", "1", "predict", 200, 0.1)
    left.stop()
    (tmp_path / "a.meters" / "worker-2.new").write_text('{"half')
    again = Meters(meters.folder(tmp_path, "a", "d1"))
    assert answered(again) == 1
    assert not list((tmp_path / "a.meters").glob("worker-2*"))
    other = Meters(meters.folder(tmp_path, "a", "d2"))
    assert answered(other) == 0


def test_a_snapshot_that_is_no_json_is_as_good_as_none(worker: Worker, tmp_path: Path) -> None:
    first = worker(1)
    first.request("m", "1", "predict", 200, 0.1)
    (tmp_path / "a.meters" / "worker-7.json").write_text("[")
    assert answered(first) == 1


def test_a_snapshot_says_who_it_is_of(worker: Worker, tmp_path: Path) -> None:
    worker(1).publish()
    about = json.loads((tmp_path / "a.meters" / "worker-1.json").read_text())["about"]
    assert about["ready"] is True
    assert about["pid"] > 0
    assert about["memory_bytes"] > 10_000_000
    assert about["since"] > 1_600_000_000


def test_memory_is_the_kernels_proportional_share(tmp_path: Path) -> None:
    rollup = tmp_path / "smaps_rollup"
    rollup.write_text("Rss:  5 kB\nPss:                 317 kB\nPss_Dirty: 1 kB\n")
    assert proportional_bytes(rollup) == 317 * 1024
    assert proportional_bytes(tmp_path / "none") == 0


def test_an_errors_kind_is_its_class() -> None:
    from app.core.errors import BadInputError, ModelFailedError

    assert [meters.kind(error) for error in (BadInputError(""), ModelFailedError(""), LookupError())] == [
        "bad_input",
        "model_failed",
        "lookup",
    ]
