"""Rows to try a compiled model on, and how far its answers are from the original's.

The rows are the model's examples and many made from them: drawn from their ranges, written with the words that the
model knows, and pairs of neighbours in float64 between which the original's answer jumps. Such a jump is the threshold
of a tree, wherever in the model it is: bisecting finds it without knowing the model.
"""

from typing import Any, TypeAlias

import numpy
import pandas
from mlflow.types import DataType

from app.core.scorer import Native, Scorer
from app.core.vocabulary import words

Array: TypeAlias = numpy.ndarray[Any, Any]

DRAWN = 512
PAIRS = 128
HALVINGS = 64
FLOATS = (DataType.double, DataType.float)
SPREAD = 0.5  # of a column's range, beyond its ends


def rows(native: Native, pool: pandas.DataFrame) -> pandas.DataFrame:
    """Enforced rows: the pool, then `DRAWN` from it, then two for each jump that was found."""
    schema = native.pyfunc.metadata.get_input_schema()
    chance = numpy.random.default_rng(0)  # the same rows each time: the same decision on every node
    drawn = pandas.DataFrame(
        {column.name: _draw(column.type, pool[column.name], native, chance) for column in schema.inputs}
    ).astype(pool.dtypes.to_dict())
    kept = pool.iloc[chance.integers(len(pool), size=DRAWN)].reset_index(drop=True)
    for name in drawn.columns:  # half of the rows differ from the pool's in some columns only
        same = (numpy.arange(DRAWN) % 2 == 0) & (chance.random(DRAWN) < 0.7)
        drawn[name] = drawn[name].where(~same, kept[name]).astype(pool[name].dtype)
    known = pandas.concat([pool, drawn], ignore_index=True)
    floats = [column.name for column in schema.inputs if column.type in FLOATS]
    return pandas.concat([known, *_jumps(native, known, floats, chance)], ignore_index=True) if floats else known


def _draw(kind: DataType, column: pandas.Series, native: Native, chance: numpy.random.Generator) -> Any:
    if kind == DataType.string:
        return _texts(column, words(native.estimator), chance)
    if kind == DataType.boolean:
        return chance.random(DRAWN) < 0.5
    values = column.to_numpy(dtype=float)
    low, high = float(values.min()), float(values.max())
    margin = SPREAD * (high - low) or max(1.0, abs(low))
    drawn = chance.uniform(low - margin, high + margin, DRAWN)
    drawn[:4] = low, high, 0.0, -0.0
    return drawn if kind in FLOATS else numpy.rint(drawn)


def _texts(column: pandas.Series, known: list[str], chance: numpy.random.Generator) -> list[str]:
    """Known categories and words as they are, and joined, capitalised, punctuated, repeated, left out."""
    given = column.tolist()
    pieces = known + [word for text in given for word in text.split()] + ["", "a", "x1", "under_score", "don't", "3.14"]
    borders = [" ", "  ", ", ", ". ", "-", "\n", "\t", "/", "'", "!"]
    texts = []
    for number in range(DRAWN):
        chosen = [pieces[index] for index in chance.integers(len(pieces), size=chance.integers(1, 12))]
        shaped = [(str.upper, str.title, str, str)[chance.integers(4)](word) for word in chosen]
        joined = borders[chance.integers(len(borders))].join(shaped)
        texts.append((joined, chosen[0], given[number % len(given)])[number % 3])
    return texts


def _jumps(
    native: Native, known: pandas.DataFrame, floats: list[str], chance: numpy.random.Generator
) -> tuple[pandas.DataFrame, pandas.DataFrame]:
    """Pairs of rows, no double between them, that the original answers differently."""
    left = known.iloc[chance.integers(len(known), size=PAIRS)].reset_index(drop=True)
    others = left.drop(columns=floats)
    single = [name for name in floats if known[name].dtype == numpy.float32]

    def frame(values: Array) -> pandas.DataFrame:
        numbers = pandas.DataFrame(values, columns=floats)
        if single:
            numbers[single] = numbers[single].astype(numpy.float32)
        return pandas.concat([others, numbers], axis=1)[list(known.columns)] if len(others.columns) else numbers

    below = left[floats].to_numpy(dtype=float, copy=True)
    above = known[floats].to_numpy(dtype=float)[chance.integers(len(known), size=PAIRS)]
    pair = numpy.arange(PAIRS)
    one = numpy.arange(len(floats)) == (pair // 2 % len(floats))[:, None]
    above = numpy.where(one | (pair % 2 == 1)[:, None], above, below)  # half differ in one column, half in all
    first = _numbers(native, left)
    for _ in range(HALVINGS):
        middle = below + (above - below) / 2
        if ((middle == below) | (middle == above)).all():
            break
        same = (_numbers(native, frame(middle)) == first).all(axis=1)
        below[same], above[~same] = middle[same], middle[~same]
    return frame(below), frame(above)


def _numbers(native: Native, frame: pandas.DataFrame) -> Array:
    """The original's answers as a row of numbers for each row."""
    found = original_probabilities(native, frame)
    answers = native.estimator.predict(frame) if found is None else found
    return numpy.asarray(answers, dtype=float).reshape(len(frame), -1)


def original_probabilities(native: Native, frame: pandas.DataFrame) -> Array | None:
    if native.score_probabilities is None:
        return None
    return numpy.asarray(native.estimator.predict_proba(frame))


def difference(native: Native, other: Scorer, frame: pandas.DataFrame) -> tuple[float, int]:
    """The largest relative difference of a number, and how many classes differ.

    Relative to the number or, where that is less, to what numbers are like here: 1 for probabilities, the median.
    """
    expected, found = numpy.asarray(native.estimator.predict(frame)), numpy.asarray(other.predict(frame))
    if expected.shape != found.shape or expected.dtype.kind != found.dtype.kind:
        return float("inf"), len(frame)
    probabilities = original_probabilities(native, frame)
    if probabilities is None:
        return _largest(expected, found, float(numpy.median(numpy.abs(expected)))), 0
    answer = other.probabilities(frame)
    assert answer is not None
    return _largest(probabilities, answer[1], 1.0), int((expected != found).sum())


def _largest(expected: Array, found: Array, usual: float) -> float:
    if expected.shape != found.shape or not numpy.isfinite(found).all():
        return float("inf")
    scale = numpy.maximum(numpy.abs(expected), usual or 1.0)
    return float((numpy.abs(expected - found) / scale).max())
