"""The steps of a training, in their order. Apart, because the scheduler's environment has nothing but Python."""

WORK = ("validate", "train", "evaluate", "register", "promote", "follow")
NOTIFY = "notify"
STEPS = (*WORK, NOTIFY)
"""`notify` tells what became of the others, and so comes after a failure too."""

PYTHON = "SLIPWAY_TRAINING_PYTHON"
"""The variable that names the Python of the scheduler's tasks: the project's own, in the checkout, without it."""
PAGES = "SLIPWAY_MLFLOW_PAGES"
"""Where people see MLflow, when that is not where a training asks it."""
SCHEDULES = "SLIPWAY_SCHEDULES"
"""The variable that names a file {pipeline: cron line or null}, whose word counts before that of a pipeline's file."""
