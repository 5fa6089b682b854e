"""scikit-learn's forests without what one predict costs beside the trees: joblib, and a hundred validated calls.

The leaves are found by scikit-learn's own compiled `Tree`, and summed in the order in which a forest with one job sums
them, so no bit of an answer changes. For a small batch all trees are one `Tree`: a search by tree number leads to each.
"""

from typing import Any, TypeAlias

import numpy
from sklearn.ensemble import ExtraTreesClassifier, ExtraTreesRegressor, RandomForestClassifier, RandomForestRegressor
from sklearn.tree._tree import TREE_LEAF, Tree

Array: TypeAlias = numpy.ndarray[Any, Any]

FORESTS = (RandomForestRegressor, RandomForestClassifier, ExtraTreesRegressor, ExtraTreesClassifier)
FUSED_NODES = 500_000  # a second copy of the nodes, 72 bytes each
FUSED_FLOATS = 8_192  # in a batch; beyond, copying the batch for each tree costs more than calling each tree


class Forest:
    """The mean over a forest's trees: `(rows, 1)` for a regressor, `(rows, classes)` for a classifier."""

    def __init__(self, forest: Any) -> None:
        self._trees = [estimator.tree_ for estimator in forest.estimators_]
        self._columns: int = forest.n_features_in_
        self._values = [tree.value[:, 0, :] for tree in self._trees]
        nodes = sum(tree.node_count for tree in self._trees)
        self._fused: Any = None
        if len(self._trees) > 1 and nodes <= FUSED_NODES:
            self._fused = _fuse(self._trees, self._columns)
            above = numpy.zeros((len(self._trees) - 1, self._values[0].shape[1]))
            self._fused_values = numpy.concatenate([above, *self._values])

    @staticmethod
    def fits(estimator: Any) -> bool:
        """One of scikit-learn's own forests, with one output: a subclass may predict in another way."""
        return type(estimator) in FORESTS and estimator.n_outputs_ == 1

    def mean(self, rows: Array) -> Array:
        """`rows`: float32, finite, of as many columns as the forest was fitted on."""
        if self._fused is not None and rows.size <= FUSED_FLOATS:
            total = self._sum_fused(rows)
        else:
            total = numpy.zeros((len(rows), self._values[0].shape[1]))
            for tree, values in zip(self._trees, self._values, strict=True):
                total += values.take(tree.apply(rows), axis=0)
        total /= len(self._trees)
        return total

    def _sum_fused(self, rows: Array) -> Array:
        numbers = len(self._trees)
        copies = numpy.empty((numbers, len(rows), self._columns + 1), dtype=numpy.float32)
        copies[:, :, :-1] = rows
        copies[:, :, -1] = numpy.arange(numbers, dtype=numpy.float32)[:, None]
        leaves = self._fused.apply(copies.reshape(-1, self._columns + 1))
        parts = self._fused_values.take(leaves, axis=0).reshape(numbers, len(rows), -1)
        numpy.add.accumulate(parts, axis=0, out=parts)  # in order, which numpy's sum is not
        total: Array = parts[-1] + 0.0  # as from a sum that began at zero: never -0.0
        return total


def _fuse(trees: list[Any], columns: int) -> Any:
    """One tree over a further column, the number of the tree, whose first `len(trees) - 1` nodes find that tree."""
    states = [tree.__getstate__() for tree in trees]
    above = len(trees) - 1
    nodes = numpy.concatenate([numpy.zeros(above, states[0]["nodes"].dtype), *(state["nodes"] for state in states)])
    roots, depth = [], 0
    start = above
    for state in states:
        own = nodes[start : start + state["node_count"]]
        inner = own["left_child"] != TREE_LEAF
        own["left_child"][inner] += start
        own["right_child"][inner] += start
        roots.append(start)
        start += state["node_count"]
        depth = max(depth, state["max_depth"])
    _search(nodes, roots, columns)
    values = numpy.zeros((len(nodes), 1, 1))  # never asked
    state = {"max_depth": depth + above, "node_count": len(nodes), "nodes": nodes, "values": values}
    fused = Tree(columns + 1, numpy.array([1], dtype=numpy.intp), 1)
    fused.__setstate__(state)
    return fused


def _search(nodes: Array, roots: list[int], column: int) -> None:
    """A balanced search over `column` in the first nodes, whose ends are the roots."""
    free = iter(range(len(roots) - 1))

    def place(low: int, high: int) -> int:
        if high - low == 1:
            return roots[low]
        here, middle = next(free), (low + high) // 2
        nodes[here]["feature"], nodes[here]["threshold"] = column, middle - 0.5
        nodes[here]["left_child"] = place(low, middle)
        nodes[here]["right_child"] = place(middle, high)
        return here

    place(0, len(roots))
