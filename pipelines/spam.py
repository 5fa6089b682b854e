"""Whether a short message is spam, from its words.

The messages are this project's own: `pipelines/data/spam.csv`, written by `pipelines/data/spam_messages.py`.
"""

from pathlib import Path
from typing import Any

from pandas import DataFrame, Series
from sklearn.compose import ColumnTransformer
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, f1_score
from sklearn.pipeline import make_pipeline

from ops.training.table import read

MODEL = "spam"
METRIC = "f1"
DIRECTION = "higher"
TARGET = "label"
HELD_BACK = 0.25
COLUMNS = {"text": str, "label": str}
OWN = Path(__file__).parent / "data" / "spam.csv"


def load(data: str | None) -> DataFrame:
    return read(data or str(OWN), "spam", COLUMNS)


def train(features: DataFrame, target: Series) -> Any:
    words = ColumnTransformer([("words", TfidfVectorizer(ngram_range=(1, 2)), "text")])
    return make_pipeline(words, LogisticRegression(C=10.0, max_iter=1000)).fit(features, target)


def evaluate(model: Any, features: DataFrame, target: Series) -> dict[str, float]:
    predicted = model.predict(features)
    return {
        "f1": float(f1_score(target, predicted, pos_label="spam")),
        "accuracy": float(accuracy_score(target, predicted)),
    }
