"""The application that gunicorn's master imports. A manifest that cannot be read ends the start with one line."""

import logging
import os

from app import settings
from app.core import deployment
from app.core.board import Board
from app.core.errors import BadDeploymentError
from app.core.meters import Meters, folder
from app.core.preload import import_libraries
from app.core.sample_files import SampleFiles
from app.core.samples import Samples
from app.core.serving import Serving
from app.http.factory import create_app
from app.logs import refuse

try:
    _settings = settings.read(os.environ)
    _deployment = deployment.read(_settings.deployment)
except BadDeploymentError as error:
    refuse(str(error))

logging.captureWarnings(True)
import_libraries(_deployment, _settings.models)

_meters = Meters(folder(_settings.run, _settings.slot, _deployment.id))
_samples = SampleFiles(_settings.samples, _settings.sample_daily_bytes)

app = create_app(
    Serving(
        deployment=_deployment,
        models_folder=_settings.models,
        drain_file=_settings.drain_file,
        slot=_settings.slot,
        board=Board(_settings.workers),
        samples=Samples(_samples, _settings.sample, _deployment.id, _meters.sample) if _settings.sample else None,
        meters=_meters,
    )
)
