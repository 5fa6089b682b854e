"""The model behind LitServe, batching as https://lightning.ai/docs/litserve/features/batching recommends."""

import os
from itertools import pairwise
from typing import Any

import litserve
import mlflow.sklearn
import pandas


class Predictor(litserve.LitAPI):  # type: ignore[misc]
    def setup(self, device: str) -> None:
        self.model = mlflow.sklearn.load_model(os.environ["BENCH_MODEL"])

    def decode_request(self, request: dict[str, Any]) -> pandas.DataFrame:
        return pandas.DataFrame(**request["dataframe_split"])

    def batch(self, inputs: list[pandas.DataFrame]) -> list[pandas.DataFrame]:
        return inputs

    def predict(self, x: list[pandas.DataFrame]) -> list[list[Any]]:
        """One predict for the whole batch, split again by each request's rows."""
        answers = self.model.predict(x[0] if len(x) == 1 else pandas.concat(x, ignore_index=True)).tolist()
        ends = [0]
        for frame in x:
            ends.append(ends[-1] + len(frame))
        return [answers[start:end] for start, end in pairwise(ends)]

    def unbatch(self, output: list[list[Any]]) -> list[list[Any]]:
        return output

    def encode_response(self, output: list[Any]) -> dict[str, Any]:
        return {"predictions": output}


if __name__ == "__main__":
    api = Predictor(max_batch_size=64, batch_timeout=0.005)
    server = litserve.LitServer(api, accelerator="cpu", workers_per_device=int(os.environ["BENCH_WORKERS"]))
    server.run(host="127.0.0.1", port=int(os.environ["BENCH_PORT"]), generate_client_file=False, log_level="warning")
