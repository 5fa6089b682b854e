"""Texts vectorized by the batch are what scikit-learn's vectorizers make of them, bit for bit."""

from functools import cache
from typing import Any

import numpy
import pandas
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.compose import ColumnTransformer
from sklearn.datasets import load_breast_cancer, load_iris
from sklearn.ensemble import GradientBoostingClassifier, GradientBoostingRegressor
from sklearn.feature_extraction.text import CountVectorizer, HashingVectorizer, TfidfVectorizer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.naive_bayes import MultinomialNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.svm import LinearSVC

from app.core import estimators
from app.core.columns import Columns
from app.core.texts import TextColumns, Vectorizer

WORDS = [
    "the",
    "quick",
    "Brown",
    "fox",
    "FOX",
    "a",
    "über",
    "İstanbul",
    "naïve",
    "ß",
    "don't",
    "x_1",
    "42",
    "日本",
    "fox-trot",
]
pieces = st.sampled_from([*WORDS, "unknown", "of", "\n", "\t", "", "é", "\U0001d518"])
documents = st.lists(pieces, max_size=14).map(" ".join) | st.text(max_size=20)
corpora = st.lists(documents, min_size=1, max_size=6)

shapes = st.fixed_dictionaries(
    {
        "lowercase": st.booleans(),
        "ngram_range": st.sampled_from([(1, 1), (1, 1), (1, 2), (2, 3)]),
        "analyzer": st.sampled_from(["word", "word", "char", "char_wb"]),
        "stop_words": st.sampled_from([None, None, ["the", "of"]]),
        "strip_accents": st.sampled_from([None, None, "unicode", "ascii"]),
        "token_pattern": st.sampled_from([r"(?u)\b\w\w+\b", r"\S+", r"([a-z]+)"]),
        "binary": st.booleans(),
        "max_features": st.sampled_from([None, 9]),
    }
)
weights = st.fixed_dictionaries(
    {
        "sublinear_tf": st.booleans(),
        "use_idf": st.booleans(),
        "smooth_idf": st.booleans(),
        "norm": st.sampled_from(["l2", "l2", "l1", None]),
    }
)
FITTED_ON = [" ".join(WORDS[number:] + WORDS[:3] * number) for number in range(len(WORDS))]


def alike(found: Any, expected: Any) -> None:
    assert type(found) is type(expected)
    assert (found.shape, found.dtype) == (expected.shape, expected.dtype)
    for part in ("indptr", "indices", "data"):
        assert getattr(found, part).tobytes() == getattr(expected, part).tobytes(), part


@pytest.mark.filterwarnings("ignore")
@settings(max_examples=250, deadline=None)
@given(shape=shapes, weight=weights, texts=corpora)
def test_weighted_terms_are_the_vectorizers_own(
    shape: dict[str, Any], weight: dict[str, Any], texts: list[str]
) -> None:
    vectorizer = TfidfVectorizer(**shape, **weight).fit(FITTED_ON)
    assert Vectorizer.fits(vectorizer)
    alike(Vectorizer(vectorizer).rows(texts), vectorizer.transform(texts))


@pytest.mark.filterwarnings("ignore")
@settings(max_examples=100, deadline=None)
@given(shape=shapes, texts=corpora, kind=st.sampled_from([numpy.int64, numpy.float32, numpy.int8]))
def test_counted_terms_are_the_vectorizers_own(shape: dict[str, Any], texts: list[str], kind: Any) -> None:
    vectorizer = CountVectorizer(**shape, dtype=kind).fit(FITTED_ON)
    assert Vectorizer.fits(vectorizer)
    alike(Vectorizer(vectorizer).rows(texts), vectorizer.transform(texts))


@cache
def every_character(**options: Any) -> tuple[Any, Vectorizer]:
    """A vectorizer that has seen all of ASCII, and its quick form."""
    texts = [*FITTED_ON, "x_ y2 Z3 33 b a fox_ __ " + " ".join(map(chr, range(128)))]
    vectorizer = TfidfVectorizer(**options).fit(texts)
    return vectorizer, Vectorizer(vectorizer)


@settings(max_examples=300, deadline=None)
@given(texts=st.lists(st.text(alphabet=st.characters(max_codepoint=127)) | documents, min_size=1, max_size=4))
@pytest.mark.parametrize("options", [{}, {"lowercase": False}, {"stop_words": "english"}, {"vocabulary": ("a", "fox")}])
def test_words_of_ascii_are_those_of_the_pattern(options: dict[str, Any], texts: list[str]) -> None:
    vectorizer, quick = every_character(**options)
    alike(quick.rows(texts), vectorizer.transform(texts))


class Louder(TfidfVectorizer):  # type: ignore[misc]
    def transform(self, raw_documents: Any) -> Any:
        return super().transform(raw_documents) * 2


@pytest.mark.parametrize(
    "other",
    [
        Louder().fit(FITTED_ON),
        TfidfVectorizer(),
        TfidfVectorizer(dtype=numpy.float32).fit(FITTED_ON),
        TfidfVectorizer(input="file"),
        HashingVectorizer(),
        StandardScaler(),
    ],
)
def test_what_may_do_something_else_is_left_to_itself(other: Any) -> None:
    assert not Vectorizer.fits(other)


FRAME = pandas.DataFrame({"id": [f"n{number}" for number in range(len(FITTED_ON))], "text": FITTED_ON})
LABELS = ["even" if number % 2 else "odd" for number in range(len(FITTED_ON))]
THREE = [("x", "y", "z")[number % 3] for number in range(len(FITTED_ON))]


def by_column(sparse: bool = True) -> ColumnTransformer:
    return ColumnTransformer([("tfidf", TfidfVectorizer(), "text")], sparse_threshold=float(sparse))


def picking() -> Any:
    return make_pipeline(FunctionTransformer(lambda frame: frame["text"]), TfidfVectorizer(ngram_range=(1, 2)))


PIPELINES = {
    "column, two classes": make_pipeline(by_column(), LogisticRegression()).fit(FRAME, LABELS),
    "column, three classes": make_pipeline(by_column(), LogisticRegression()).fit(FRAME, THREE),
    "column, margins": make_pipeline(by_column(), LinearSVC()).fit(FRAME, THREE),
    "column, counts of Bayes": make_pipeline(by_column(), MultinomialNB()).fit(FRAME, LABELS),
    "column, dense": make_pipeline(by_column(sparse=False), LogisticRegression()).fit(FRAME, THREE),
    "column, a number": make_pipeline(by_column(), Ridge()).fit(FRAME, range(len(FRAME))),
    "function": make_pipeline(*(step for _, step in picking().steps), LogisticRegression()).fit(FRAME, LABELS),
}


@pytest.mark.parametrize("name", PIPELINES)
@settings(max_examples=40, deadline=None)
@given(texts=corpora)
def test_a_pipeline_of_texts_answers_as_scikit_learn_does(name: str, texts: list[str]) -> None:
    pipeline = PIPELINES[name]
    quick = estimators.fast(pipeline)
    columns = Columns({"id": [""] * len(texts), "text": texts})
    expected = pipeline.predict(columns.frame())
    forms = [columns, columns.frame()] if quick.takes_columns else [columns.frame()]
    assert quick.takes_columns is name.startswith("column")
    for data in forms:
        found = quick.predict(data)
        assert (found.dtype, found.tobytes()) == (expected.dtype, expected.tobytes())
        if quick.probabilities:
            assert quick.probabilities(data)[1].tobytes() == pipeline.predict_proba(columns.frame()).tobytes()


@settings(max_examples=60, deadline=None)
@given(texts=corpora, others=corpora)
def test_a_texts_answer_is_its_own_whatever_stands_beside_it(texts: list[str], others: list[str]) -> None:
    quick = estimators.fast(PIPELINES["column, three classes"])
    assert quick.probabilities

    def ask(some: list[str]) -> Any:
        assert quick.probabilities
        return quick.probabilities(Columns({"id": some, "text": some}))[1]

    together = ask([*others, *texts])
    assert numpy.array_equal(together[len(others) :], numpy.concatenate([ask([text]) for text in texts]))


def test_what_is_no_string_is_refused_in_the_vectorizers_own_words() -> None:
    pipeline = PIPELINES["column, two classes"]
    frame = FRAME.head(2).astype(object)
    frame.loc[1, "text"] = 7
    said = []
    for model in (pipeline, estimators.fast(pipeline)):
        with pytest.raises(AttributeError, match="'int' object has no attribute 'lower'") as refused:
            model.predict(frame)
        said.append(str(refused.value))
    assert said[0] == said[1]


def test_a_transformer_of_more_than_one_column_is_left_to_itself() -> None:
    two = ColumnTransformer([("a", TfidfVectorizer(), "text"), ("b", CountVectorizer(), "id")]).fit(FRAME)
    weighted = ColumnTransformer([("a", TfidfVectorizer(), "text")], transformer_weights={"a": 2.0}).fit(FRAME)
    kept = ColumnTransformer([("a", TfidfVectorizer(), "text")], remainder="passthrough")
    kept = kept.fit(FRAME.assign(id=1.0))
    assert not any(map(TextColumns.fits, (two, weighted, kept)))


@pytest.mark.parametrize("load", [load_iris, load_breast_cancer])
def test_boosted_classes_and_probabilities_are_scikit_learns(load: Any) -> None:
    data = load(as_frame=True)
    for options in (
        {},
        {"init": "zero"},
        {"loss": "exponential"} if load is load_breast_cancer else {"subsample": 0.5},
    ):
        model = GradientBoostingClassifier(n_estimators=5, random_state=0, **options).fit(data.data, data.target)
        quick = estimators.fast(model)
        assert quick.probabilities
        for form in (data.data, data.data.to_numpy()):
            assert quick.predict(form).tobytes() == model.predict(data.data).tobytes()
            assert quick.probabilities(form)[1].tobytes() == model.predict_proba(data.data).tobytes()


def test_boosting_that_starts_from_another_estimator_is_left_to_itself() -> None:
    data = load_iris(as_frame=True)
    model = GradientBoostingRegressor(n_estimators=3, init=Ridge()).fit(data.data, data.target)
    frame = data.data.head(7)
    assert estimators.fast(model).predict(frame).tobytes() == model.predict(frame).tobytes()


def test_a_scaled_model_answers_alike_from_a_frame_and_from_a_matrix() -> None:
    data = load_breast_cancer(as_frame=True)
    for scaler in (StandardScaler(), StandardScaler(with_mean=False), StandardScaler(with_std=False)):
        model = make_pipeline(scaler, LogisticRegression(max_iter=50)).fit(data.data, data.target)
        quick = estimators.fast(model)
        assert quick.takes_matrix
        assert quick.probabilities
        for rows in (1, 2, 64, 300):
            apart = pandas.DataFrame({name: data.data[name].head(rows).tolist() for name in data.data})
            expected = model.predict_proba(apart)
            for form in (apart, apart.to_numpy()):
                assert quick.predict(form).tobytes() == model.predict(apart).tobytes()
                assert quick.probabilities(form)[1].tobytes() == expected.tobytes(), rows
