"""Rows from CSV or Parquet in chunks, and rows with predictions to CSV or Parquet; `s3://` by way of a local copy."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pandas
import pyarrow
import pyarrow.parquet

from ops import s3
from ops.errors import UserError

CSV, PARQUET = ".csv", ".parquet"
SCHEME = "s3://"


@dataclass(frozen=True)
class Place:
    """A file's name as the user wrote it: a path, or `s3://bucket/key`."""

    name: str

    @property
    def remote(self) -> bool:
        return self.name.startswith(SCHEME)

    @property
    def kind(self) -> str:
        """Raises `UserError` for an ending that is neither."""
        suffix = Path(self.name).suffix.lower()
        if suffix not in (CSV, PARQUET):
            raise UserError(
                f"{self.name} ends with {suffix or 'nothing'}", f"use a file that ends with {CSV} or {PARQUET}"
            )
        return suffix

    @property
    def bucket_and_key(self) -> tuple[str, str]:
        bucket, _, key = self.name.removeprefix(SCHEME).partition("/")
        if not bucket or not key:
            raise UserError(f"{self.name} is no object in S3", "it should look like s3://bucket/folder/file.csv")
        return bucket, key

    def fingerprint(self) -> str:
        """Changes with the content. Raises `UserError` when there is no such file."""
        if self.remote:
            found = s3.head(boto3.client("s3"), *self.bucket_and_key)
            if found is None:
                raise UserError(f"there is no {self.name}")
            return str(found["ETag"])
        try:
            about = os.stat(self.name)
        except OSError as error:
            raise UserError(f"{self.name}: {error.strerror}") from error
        return f"{about.st_size}-{about.st_mtime_ns}"

    def fetched(self, folder: Path) -> Path:
        """The file on this machine."""
        if not self.remote:
            return Path(self.name)
        place = folder / f"input{self.kind}"
        if not place.exists():
            partial = folder / ".fetching"
            with s3.asked(self.name):
                boto3.client("s3").download_file(*self.bucket_and_key, str(partial))
            partial.replace(place)
        return place

    def deliver(self, file: Path) -> None:
        """Puts a finished file where it belongs, whole or not at all."""
        if self.remote:
            with s3.asked(self.name):
                boto3.client("s3").upload_file(str(file), *self.bucket_and_key)
        else:
            file.replace(self.name)


def chunks(file: Path, kind: str, rows: int) -> Iterator[pandas.DataFrame]:
    """The same chunks each time. A number that is missing stays missing, and integers stay integers beside it."""
    try:
        if kind == CSV:
            with pandas.read_csv(file, chunksize=rows, dtype_backend="numpy_nullable") as reader:
                yield from reader
        else:
            with pyarrow.parquet.ParquetFile(file) as source:
                for batch in source.iter_batches(batch_size=rows):
                    yield batch.to_pandas(types_mapper=_NULLABLE.get)
    except (ValueError, OSError, pyarrow.ArrowException) as error:
        raise UserError(f"{file} cannot be read: {' '.join(str(error).split())[:300]}") from error


_NULLABLE = {
    pyarrow.int8(): pandas.Int8Dtype(),
    pyarrow.int16(): pandas.Int16Dtype(),
    pyarrow.int32(): pandas.Int32Dtype(),
    pyarrow.int64(): pandas.Int64Dtype(),
    pyarrow.bool_(): pandas.BooleanDtype(),
}


def count(file: Path, kind: str, rows: int) -> int:
    """How many rows there are."""
    if kind == PARQUET:
        return int(pyarrow.parquet.read_metadata(file).num_rows)
    return sum(len(chunk) for chunk in chunks(file, kind, rows))


class Output:
    """Written chunk by chunk; the first one decides a Parquet file's types."""

    def __init__(self, file: Path, kind: str) -> None:
        self._file, self._kind = file, kind
        self._parquet: Any = None
        self._begun = False

    def write(self, frame: pandas.DataFrame) -> None:
        if self._kind == CSV:
            frame.to_csv(self._file, mode="a" if self._begun else "w", header=not self._begun, index=False)
        else:
            table = pyarrow.Table.from_pandas(frame, preserve_index=False)
            if self._parquet is None:
                self._parquet = pyarrow.parquet.ParquetWriter(self._file, table.schema)
            self._parquet.write_table(_cast(table, self._parquet.schema))
        self._begun = True

    def close(self) -> None:
        if self._parquet is not None:
            self._parquet.close()


def _cast(table: Any, schema: Any) -> Any:
    try:
        return table.cast(schema)
    except (pyarrow.ArrowException, ValueError) as error:
        raise UserError(
            f"the predictions change their type within the file: {error}", "write a .csv instead, or larger chunks"
        ) from error
