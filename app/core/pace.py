"""How long a model takes, learned from its own predicts: what bounds a batch and what a newcomer would have to wait.

A predict of n rows takes about a + b*n seconds. Both are fitted to the recent predicts, older ones fading, because a
forest spends ten milliseconds on any number of rows where a recommender spends one on each.
"""

FADING = 0.9
BATCH_SECONDS = 1.0  # no batch is made that would take longer: far from the timeout that ends a worker
BATCH_ROWS = 10_000
SURPRISE = 4.0  # one predict that took more than so many times what it should is not believed: the machine was away


class Pace:
    def __init__(self) -> None:
        self._weight = self._rows = self._seconds = self._squares = self._products = 0.0
        self._surprised = False
        self.rows_at_most = 1  # of a batch
        self.fixed = 0.0  # a: seconds of a predict, however small
        self.per_row = 0.0  # b: seconds of one row more

    def saw(self, rows: int, seconds: float) -> None:
        """One predict has ended."""
        likely = max(SURPRISE * self.seconds(1, rows), 0.001)
        self._surprised = self._weight > 2 and seconds > likely and not self._surprised
        if self._surprised:
            seconds = likely
        self._weight = self._weight * FADING + 1
        self._rows = self._rows * FADING + rows
        self._seconds = self._seconds * FADING + seconds
        self._squares = self._squares * FADING + rows * rows
        self._products = self._products * FADING + rows * seconds
        self._fit()
        self.rows_at_most = self._bound(rows, seconds)

    def _fit(self) -> None:
        """Weighted least squares, neither coefficient below nothing. One number of rows says nothing of the slope."""
        spread = self._weight * self._squares - self._rows * self._rows
        slope = 0.0
        if spread > 1e-6 * self._weight * self._squares:
            slope = (self._weight * self._products - self._rows * self._seconds) / spread
        self.per_row = min(max(slope, 0.0), self._seconds / self._rows if self._rows else 0.0)
        self.fixed = max((self._seconds - self.per_row * self._rows) / self._weight, 0.0)

    def _bound(self, rows: int, seconds: float) -> int:
        """As if every row cost as much as in the recent predicts, or twice what just went well."""
        likely = BATCH_SECONDS * self._rows / max(self._seconds, 1e-6)
        tried = 2 * rows if seconds <= BATCH_SECONDS else 1
        return int(min(max(likely, tried, 1), BATCH_ROWS))

    def seconds(self, predicts: float, rows: int) -> float:
        """What so many predicts over so many rows will take together."""
        return predicts * self.fixed + rows * self.per_row
