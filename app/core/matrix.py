"""Rows of numbers as an estimator itself would convert them, without what looking at them costs it.

Whatever is out of the ordinary (a null, an infinity, another type of column) is `None`: then the estimator's own method
is to look at it, so that its refusals stay its own.
"""

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy
import pandas
from scipy.sparse import issparse  # type: ignore[import-untyped]

Array: TypeAlias = numpy.ndarray[Any, Any]

PLAIN_KINDS = "fiub"  # of numpy's dtypes: no objects, no strings


def plain(estimator: Any, kind: Any, kinds: str, *, in_pipeline: bool = False) -> Callable[[Any], Any]:
    """The rows as the estimator itself would convert them, None when it should look at them itself.

    Sparse rows are taken for doubles only, and stay sparse. What the step before made stays in its order of memory.
    """
    names = getattr(estimator, "feature_names_in_", None)

    def is_plain(dtype: Any) -> bool:
        return isinstance(dtype, numpy.dtype) and dtype.kind in kinds and (kinds != "f" or dtype == kind)

    def converted(data: Any) -> Any:
        if issparse(data):
            return data if kind is numpy.float64 and _is_plain_sparse(data, estimator.n_features_in_) else None
        if isinstance(data, pandas.DataFrame):
            if names is not None and not numpy.array_equal(data.columns, names):
                return None
            if not all(map(is_plain, data.dtypes)):
                return None
            with numpy.errstate(over="ignore"):
                data = data.to_numpy(dtype=kind)
        elif kind is numpy.float64 and isinstance(data, numpy.ndarray) and not in_pipeline:
            data = numpy.asfortranarray(data)  # as a frame of a request's columns has them
        if not isinstance(data, numpy.ndarray) or data.ndim != 2 or data.shape[1] != estimator.n_features_in_:
            return None
        if not is_plain(data.dtype) and data.dtype != kind:
            return None
        if not len(data):
            return None
        with numpy.errstate(over="ignore"):
            rows: Array = data.astype(kind, copy=False)
        return rows if numpy.isfinite(rows).all() else None

    return converted


def _is_plain_sparse(rows: Any, columns: int) -> bool:
    if rows.format != "csr" or rows.dtype != numpy.float64 or rows.shape[1] != columns or not rows.shape[0]:
        return False
    return bool(numpy.isfinite(rows.data).all())


def named(data: Any, names: Any) -> Any:
    """A matrix that came without the names which the estimator was fitted with, so that it need not warn."""
    is_bare = isinstance(data, numpy.ndarray) and data.ndim == 2 and names is not None and data.shape[1] == len(names)
    return pandas.DataFrame(data, columns=names) if is_bare else data
