"""MLflow's own scoring server over many models, for a test: `python mlflow_server.py SOCKET MODELS NAME=FOLDER ...`.

Each model has MLflow's own application, as `mlflow models serve` makes it, below its name; one process holds them all,
because each of its own would take five seconds to start.
"""

import sys
from pathlib import Path

import mlflow.pyfunc
import uvicorn
from fastapi import FastAPI
from mlflow.pyfunc import scoring_server


def main(socket: str, models: str, *named: str) -> None:
    app = FastAPI()
    for pair in named:
        name, folder = pair.split("=")
        app.mount(f"/{name}", scoring_server.init(mlflow.pyfunc.load_model(str(Path(models) / folder))))
    uvicorn.run(app, uds=socket, log_level="warning")


if __name__ == "__main__":
    main(*sys.argv[1:])
