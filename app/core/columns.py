"""Rows of texts, column by column: what a model of texts takes where making a frame would cost more than scoring."""

from dataclasses import dataclass
from typing import Any

import numpy
import pandas


@dataclass(frozen=True, slots=True)
class Columns:
    """Stands for the frame of the same strings. There is at least one column."""

    values: dict[str, list[str]]

    def __len__(self) -> int:
        return len(next(iter(self.values.values())))

    def __getitem__(self, name: str) -> list[str]:
        return self.values[name]

    def frame(self) -> pandas.DataFrame:
        return pandas.DataFrame(self.values)

    def where(self, wanted: "numpy.ndarray[Any, Any]") -> "Columns":
        """The rows at which `wanted` is true."""
        places = numpy.flatnonzero(wanted).tolist()
        return Columns({name: [column[place] for place in places] for name, column in self.values.items()})


def framed(data: Any) -> Any:
    """What a library takes: a frame in place of `Columns`, everything else as it is."""
    return data.frame() if isinstance(data, Columns) else data
