"""What an estimator can do for less than its own methods cost; the same answers, bit for bit."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy

Array: TypeAlias = numpy.ndarray[Any, Any]
Both: TypeAlias = tuple[Any, Array]


@dataclass(frozen=True)
class Fast:
    """An estimator's `predict`, its probabilities with their labels, and what both take beside a frame."""

    predict: Callable[[Any], Any]
    probabilities: Callable[[Any], tuple[list[Any], Array]] | None = None
    takes_matrix: bool = False
    takes_columns: bool = False
    shared: Callable[[Any], Both] | None = None

    def both(self, data: Any) -> Both:
        """Predictions and probabilities, at once where that is less work; only of what has probabilities."""
        if self.shared:
            return self.shared(data)
        assert self.probabilities
        return self.predict(data), self.probabilities(data)[1]
