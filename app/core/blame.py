"""Whose fault an exception out of a model is: the input's (4xx) or the model's (500).

Input that fits the signature can still be refused further in: scikit-learn refuses a null, an infinity, no rows at all,
an unknown category. So the frame that raised decides: a library that refuses its argument blames the input,
the model's own code that raises is a broken model.
"""

import sysconfig
from pathlib import Path
from types import FrameType

import mlflow
from mlflow.exceptions import MlflowException

REFUSALS = (MlflowException, ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RecursionError)

_LIBRARIES = str(Path(mlflow.__file__).parents[1])
_STANDARD = sysconfig.get_paths()["stdlib"]
_COMPILED = (".pyx", ".pxi", ".pxd")


def is_input(error: Exception) -> bool:
    """Whether a library refused its argument: the kind of exception fits, and no model code raised it."""
    return isinstance(error, REFUSALS) and _raised_by_library(error)


def _raised_by_library(error: Exception) -> bool:
    frames: list[FrameType] = []
    trace = error.__traceback__
    while trace:
        frames.append(trace.tb_frame)
        trace = trace.tb_next
    for frame in reversed(frames):
        name = frame.f_code.co_filename
        if name.startswith(_LIBRARIES):
            return True
        if not _neutral(name):
            return False
    return False


def _neutral(name: str) -> bool:
    """Frames that say nothing: the standard library raises on its caller's behalf, compiled code has relative names."""
    return name.startswith((_STANDARD, "<frozen", "<__array_function__")) or name.endswith(_COMPILED)
