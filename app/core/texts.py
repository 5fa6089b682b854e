"""scikit-learn's text vectorizers without what a call costs beside the text: the same sparse rows, bit for bit.

Tokens are found by the vectorizer's own analyzer, which it builds anew for each call and here is built once; words of
ASCII by what gives the same words sooner. The terms of a whole batch are counted by one sort, then weighted and
normalized in the order, and by the routines, of scikit-learn. Whatever is not a list of plain strings goes to the
vectorizer itself.
"""

from collections.abc import Callable, Iterable
from itertools import repeat
from typing import Any, TypeAlias

import numpy
from sklearn.compose import ColumnTransformer
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.utils.sparsefuncs_fast import inplace_csr_row_normalize_l1, inplace_csr_row_normalize_l2

from app.core.columns import Columns, framed

Array: TypeAlias = numpy.ndarray[Any, Any]

NORMS: dict[str | None, Callable[[Any], None] | None] = {
    "l1": inplace_csr_row_normalize_l1,
    "l2": inplace_csr_row_normalize_l2,
    None: None,
}
STRINGS = {str}
WORDS = r"(?u)\b\w\w+\b"  # scikit-learn's own pattern
BORDERS = {code: " " for code in range(128) if not (chr(code).isalnum() or chr(code) == "_")}
BORDERS_LOWERED = {**BORDERS, **{code: chr(code).lower() for code in range(ord("A"), ord("Z") + 1)}}


class Vectorizer:
    """A `CountVectorizer` or `TfidfVectorizer`: `rows(texts)` is its `transform(texts)`."""

    def __init__(self, vectorizer: Any) -> None:
        self._tokens = _analyzer(vectorizer)
        self._vocabulary: dict[str, int] = {term: int(place) for term, place in vectorizer.vocabulary_.items()}
        self._width = len(self._vocabulary)
        self._dtype, self._binary = vectorizer.dtype, vectorizer.binary
        self._idf: Array | None = None
        self._sublinear, self._normalize = False, None
        if isinstance(vectorizer, TfidfVectorizer):
            self._idf = vectorizer.idf_ if vectorizer.use_idf else None
            self._sublinear, self._normalize = vectorizer.sublinear_tf, NORMS[vectorizer.norm]
        self._kind = type(vectorizer.transform([""]))  # SciPy's sparse matrix or array, as is configured

    @staticmethod
    def fits(vectorizer: Any) -> bool:
        """One of scikit-learn's own, fitted, over strings: a subclass may do something else."""
        if type(vectorizer) not in (CountVectorizer, TfidfVectorizer) or vectorizer.input != "content":
            return False
        if getattr(vectorizer, "_sklearn_output_config", None) or not getattr(vectorizer, "vocabulary_", None):
            return False
        if type(vectorizer) is CountVectorizer:
            return True
        if vectorizer.dtype is not numpy.float64 or vectorizer.norm not in NORMS:
            return False
        return not vectorizer.use_idf or (
            vectorizer.idf_.dtype == numpy.float64 and bool(numpy.isfinite(vectorizer.idf_).all())
        )

    def rows(self, texts: list[str]) -> Any:
        found: list[int] = []
        lengths: list[int] = []
        tokens, place = self._tokens, self._vocabulary.get
        for text in texts:
            before = len(found)
            found.extend(map(place, tokens(text), repeat(-1)))
            lengths.append(len(found) - before)
        rows = self._counted(numpy.array(found, dtype=numpy.int64), lengths)
        if self._binary:
            rows.data.fill(1)
        if self._sublinear:
            numpy.log(rows.data, rows.data)
            rows.data += 1.0
        if self._idf is not None:
            rows.data *= self._idf[rows.indices]
        if self._normalize is not None:
            self._normalize(rows)
        return rows

    def _counted(self, places: Array, lengths: list[int]) -> Any:
        """Each row's terms in ascending order, with how often each is there. A place below zero is of no known term."""
        starts = numpy.arange(len(lengths) + 1) * self._width
        keys = (places + numpy.repeat(starts[:-1], lengths))[places >= 0]
        keys.sort()
        first = numpy.empty(len(keys) + 1, dtype=bool)
        first[:1] = first[-1:] = True
        numpy.not_equal(keys[1:], keys[:-1], out=first[1:-1])
        borders = numpy.flatnonzero(first) if len(keys) else numpy.zeros(1, dtype=numpy.intp)
        terms = keys[borders[:-1]]
        pointers = numpy.searchsorted(terms, starts).astype(numpy.int32)
        indices = (terms - numpy.repeat(starts[:-1], numpy.diff(pointers))).astype(numpy.int32)
        counts = numpy.diff(borders).astype(self._dtype)
        rows = self._kind((counts, indices, pointers), shape=(len(lengths), self._width))
        rows.has_sorted_indices = rows.has_canonical_format = True
        return rows


def _analyzer(vectorizer: Any) -> Callable[[str], Iterable[str]]:
    """The vectorizer's own; for words of ASCII without the search by pattern, which is most of its time.

    A single letter, which the pattern does not find, may be among the words where no term is one: it is then not known.
    """
    analyze: Callable[[str], Iterable[str]] = vectorizer.build_analyzer()
    if not _is_usual(vectorizer):
        return analyze
    borders = BORDERS_LOWERED if vectorizer.lowercase else BORDERS

    def words(text: str) -> Iterable[str]:
        return text.translate(borders).split() if text.isascii() else analyze(text)

    return words


def _is_usual(vectorizer: Any) -> bool:
    """Counts words by the usual pattern, none of them left out."""
    if vectorizer.analyzer != "word" or vectorizer.ngram_range != (1, 1) or vectorizer.token_pattern != WORDS:
        return False
    if vectorizer.preprocessor is not None or vectorizer.tokenizer is not None or vectorizer.strip_accents:
        return False
    terms = vectorizer.vocabulary_
    return terms.keys().isdisjoint(vectorizer.get_stop_words() or ()) and all(len(term) > 1 for term in terms)


class TextColumns:
    """A `ColumnTransformer` of one vectorized column, which takes `Columns` as well as a frame."""

    def __init__(self, transformer: Any) -> None:
        self._transformer = transformer
        ((self._column, vectorizer),) = _used(transformer)
        self._vectorizer = Vectorizer(vectorizer)
        self._is_sparse: bool = transformer.sparse_output_

    @staticmethod
    def fits(transformer: Any) -> bool:
        if type(transformer) is not ColumnTransformer or getattr(transformer, "_sklearn_output_config", None):
            return False
        if transformer.transformer_weights or not hasattr(transformer, "sparse_output_"):
            return False
        used = _used(transformer)
        return len(used) == 1 and isinstance(used[0][0], str) and Vectorizer.fits(used[0][1])

    def transform(self, data: Any) -> Any:
        texts = column(data, self._column)
        if texts is None:
            return self._transformer.transform(framed(data))
        rows = self._vectorizer.rows(texts)
        return rows if self._is_sparse else rows.toarray()


def _used(transformer: Any) -> list[tuple[Any, Any]]:
    """The columns that are not dropped, with what they go through."""
    parts = [(columns, part) for _, part, columns in transformer.transformers_ if not _is_dropped(part)]
    return [(columns, part) for columns, part in parts if isinstance(columns, str) or len(columns)]


def _is_dropped(part: Any) -> bool:
    return isinstance(part, str) and part == "drop"


def column(data: Any, name: str) -> list[str] | None:
    """The texts of one column; None when they are not all plain strings, or are none at all."""
    if isinstance(data, Columns):
        return data[name]
    return strings(data[name]) if hasattr(data, "columns") and name in data.columns else None


def strings(texts: Any) -> list[str] | None:
    found = texts.tolist() if hasattr(texts, "tolist") else texts
    return found if type(found) is list and found and STRINGS.issuperset(map(type, found)) else None
