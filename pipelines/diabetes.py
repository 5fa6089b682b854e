"""How far diabetes has progressed after a year, from ten measurements of a patient.

The rows come from a table `diabetes` in PostgreSQL where an address is given (`python -m ops.training seed diabetes`
makes one), else from scikit-learn's own copy. The model has a name of its own, so that it serves beside the one that
`make up` delivers, which was trained on every row and so could not be compared with.
"""

from typing import Any

from numpy import sqrt
from pandas import DataFrame, Series
from sklearn.datasets import load_diabetes
from sklearn.ensemble import GradientBoostingRegressor
from sklearn.metrics import mean_absolute_error, mean_squared_error, r2_score

from ops.training.table import read

SCHEDULE = "0 3 * * *"
MODEL = "diabetes-progression"
METRIC = "rmse"
DIRECTION = "lower"
MARGIN = 0.5
COLUMNS = dict.fromkeys(["age", "sex", "bmi", "bp", "s1", "s2", "s3", "s4", "s5", "s6", "target"], float)


def load(data: str | None) -> DataFrame:
    return read(data, "diabetes", COLUMNS) if data else load_diabetes(as_frame=True).frame


def train(features: DataFrame, target: Series) -> Any:
    model = GradientBoostingRegressor(n_estimators=120, learning_rate=0.05, max_depth=2, subsample=0.8, random_state=0)
    return model.fit(features, target)


def evaluate(model: Any, features: DataFrame, target: Series) -> dict[str, float]:
    predicted = model.predict(features)
    return {
        "rmse": float(sqrt(mean_squared_error(target, predicted))),
        "mae": float(mean_absolute_error(target, predicted)),
        "r2": float(r2_score(target, predicted)),
    }
