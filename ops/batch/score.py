"""One run: chunks out as jobs, so many at a time, answers in as they come, and all of them in order at the end."""

import json
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pandas

from ops.batch.client import ChunkFailedError, Client, GoneError
from ops.batch.files import Output, Place, chunks
from ops.batch.work import Work
from ops.errors import UserError

FIRST_POLL_SECONDS = 0.05
POLL_SECONDS = 1.0

Frames = Iterator[tuple[int, pandas.DataFrame]]


class Run:
    """`advance(rows)` is told of rows as they are done."""

    def __init__(
        self, client: Client, work: Work, columns: Sequence[str] | None, at_once: int, advance: Callable[[int], None]
    ) -> None:
        self._client, self._work, self._columns = client, work, columns
        self._at_once, self._advance = at_once, advance
        self._under_way: dict[int, tuple[str, int, int]] = {}  # chunk: job, its first row, its rows
        self.failed: list[str] = []

    def score(self, frames: Iterator[pandas.DataFrame]) -> None:
        """Returns when every chunk has its answer or has failed. Raises `UserError`."""
        row = 0
        for chunk, frame in enumerate(frames):
            if self._work.done(chunk):
                self._advance(len(frame))
            else:
                body = self._body(frame)
                self._under_way[chunk] = (self._client.submit(body, self._work.key(chunk)), row, len(frame))
            row += len(frame)
            while len(self._under_way) >= self._at_once:
                self._collect()
        while self._under_way:
            self._collect()

    def _collect(self) -> None:
        """Waits for one answer at least."""
        pause = FIRST_POLL_SECONDS
        while True:
            ended = [chunk for chunk, (job, _, _) in self._under_way.items() if self._ended(job)]
            for chunk in ended:
                self._take(chunk)
            if ended:
                return
            time.sleep(pause)
            pause = min(2 * pause, POLL_SECONDS)

    def _ended(self, job: str) -> bool:
        try:
            return self._client.state(job) not in ("queued", "running")
        except GoneError:
            return True

    def _take(self, chunk: int) -> None:
        job, first, rows = self._under_way.pop(chunk)
        try:
            self._work.keep(chunk, self._client.result(job))
        except ChunkFailedError as error:
            self._work.again(chunk)
            self.failed.append(f"rows {first} to {first + rows - 1}: {error} (job {job})")
        self._advance(rows)

    def _body(self, frame: pandas.DataFrame) -> bytes:
        """Rows as /predict takes them; what is missing is left out."""
        if self._columns:
            frame = chosen(frame, self._columns)
        records = json.loads(frame.to_json(orient="records", date_format="iso", double_precision=15))
        whole = [{name: value for name, value in record.items() if value is not None} for record in records]
        return json.dumps(whole, separators=(",", ":"), ensure_ascii=False).encode()


def chosen(frame: pandas.DataFrame, columns: Sequence[str]) -> pandas.DataFrame:
    missing = [name for name in columns if name not in frame.columns]
    if missing:
        raise UserError(f"the input has no column {', '.join(missing)}", f"it has {', '.join(map(str, frame.columns))}")
    return frame[list(columns)]


def combine(frames: Iterator[pandas.DataFrame], work: Work, output: Place) -> None:
    """Writes the input's rows, in their order, each with its prediction, and puts the file where it belongs."""
    file = work.folder / f"output{output.kind}"
    writer = Output(file, output.kind)
    try:
        for chunk, frame in enumerate(frames):
            writer.write(joined(frame, work.predictions(chunk)))
    finally:
        writer.close()
    if not file.exists():
        raise UserError("the input has no rows")
    output.deliver(file)


def joined(frame: pandas.DataFrame, predictions: list[Any]) -> pandas.DataFrame:
    """A prediction of several values is several columns, by their names or their numbers."""
    if len(predictions) != len(frame):
        raise UserError(f"the model answers {len(predictions)} predictions for {len(frame)} rows")
    if predictions and isinstance(predictions[0], dict | list):
        found = pandas.DataFrame(predictions).add_prefix("prediction_")
    else:
        found = pandas.DataFrame({"prediction": predictions})
    return pandas.concat([frame.reset_index(drop=True), found], axis=1)


def source(place: Place, work: Work, rows: int) -> Callable[[], Iterator[pandas.DataFrame]]:
    """Reads the input's chunks, as often as it is called."""
    file = place.fetched(work.folder)
    return lambda: chunks(file, place.kind, rows)
