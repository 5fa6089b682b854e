"""A pipeline's file, loaded: its three functions, called with what they are promised and held to what they return.

What goes wrong in there is its author's, so it is told as one line with the place in the file, not as a traceback of
ours.
"""

import importlib.util
import math
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import pandas

from ops.errors import UserError
from ops.training.outline import Outline
from ops.training.table import Table

TARGET = "target"
HELD_BACK = 0.2


@dataclass(frozen=True)
class Pipeline:
    outline: Outline
    module: ModuleType

    @classmethod
    def of(cls, outline: Outline) -> "Pipeline":
        """Raises `UserError` when the file fails while it is loaded, or says nonsense of its table."""
        spec = importlib.util.spec_from_file_location(f"pipelines.{outline.name}", outline.file)
        assert spec
        assert spec.loader
        module = importlib.util.module_from_spec(spec)
        with told(outline, "cannot be loaded"):
            spec.loader.exec_module(module)
        return cls(outline, module)

    @property
    def table(self) -> Table:
        """What its table must look like. Raises `UserError`."""
        columns = self._constant("COLUMNS", None)
        target = str(self._constant("TARGET", TARGET))
        share = self._constant("HELD_BACK", HELD_BACK)
        label = f"pipelines/{self.outline.file.name}"
        if not isinstance(share, float) or not 0.05 <= share <= 0.5:
            raise UserError(f"{label}: HELD_BACK is {share!r}, and must be a share from 0.05 to 0.5")
        if columns is not None and (not isinstance(columns, Mapping) or target not in columns):
            raise UserError(f"{label}: COLUMNS must map each column to its type, {target!r} among them")
        return Table(dict(columns) if columns else None, target, share)

    @property
    def packages(self) -> list[str]:
        """What its model wants at run time beside scikit-learn."""
        return [str(each) for each in self._constant("PACKAGES", ())]

    @property
    def trusted(self) -> list[str]:
        return [str(each) for each in self._constant("TRUSTED", ())]

    def load(self, data: str | None) -> pandas.DataFrame:
        """Raises `UserError`."""
        with told(self.outline, "failed in load"):
            found = self.module.load(data)
        if not isinstance(found, pandas.DataFrame):
            raise self._returned("load", found, "a pandas.DataFrame")
        return found

    def train(self, features: pandas.DataFrame, target: pandas.Series) -> Any:
        """Raises `UserError`."""
        with told(self.outline, "failed in train"):
            model = self.module.train(features, target)
        if not callable(getattr(model, "predict", None)):
            raise self._returned("train", model, "a model that has been fitted")
        return model

    def evaluate(self, model: Any, features: pandas.DataFrame, target: pandas.Series, whose: str) -> dict[str, float]:
        """`whose` model it is, in words. Raises `UserError`."""
        with told(self.outline, f"failed in evaluate, with {whose}"):
            found = self.module.evaluate(model, features, target)
        if not isinstance(found, Mapping) or not found:
            raise self._returned("evaluate", found, "a dict of metrics")
        try:
            metrics = {str(name): float(value) for name, value in found.items()}
        except (TypeError, ValueError):
            raise self._returned("evaluate", found, "a dict of numbers") from None
        if wrong := [f"{name} = {value}" for name, value in metrics.items() if not math.isfinite(value)]:
            raise UserError(f"evaluate gives {', '.join(wrong)} for {whose}", "a metric must be a finite number")
        return metrics

    def log(self, model: Any, about: Mapping[str, Any]) -> Any:
        """Logs the model by the pipeline's own `log`, for what is not scikit-learn's. Raises `UserError`."""
        with told(self.outline, "failed in log"):
            return self.module.log(model, **about)

    @property
    def logs_itself(self) -> bool:
        return callable(getattr(self.module, "log", None))

    def _constant(self, name: str, default: Any) -> Any:
        return getattr(self.module, name, default)

    def _returned(self, function: str, value: object, wanted: str) -> UserError:
        shown = type(value).__name__
        return UserError(
            f"{function} in pipelines/{self.outline.file.name} returns a {shown}, and must return {wanted}"
        )


@contextmanager
def told(outline: Outline, what: str) -> Iterator[None]:
    """Turns whatever the pipeline's code raises into one line. A `UserError` of it stays what it is."""
    try:
        yield
    except UserError:
        raise
    except Exception as error:  # it runs the user's code
        place = line_of(error, outline.file)
        where = f" (line {place})" if place else ""
        reason = " ".join(str(error).split())[:500]
        raise UserError(f"pipelines/{outline.file.name} {what}{where}: {type(error).__name__}: {reason}") from error


def line_of(error: BaseException, file: Path) -> int | None:
    """The last line of this file that the error went through."""
    lines = [each.lineno for each in traceback.extract_tb(error.__traceback__) if Path(each.filename) == file]
    return lines[-1] if lines else None
