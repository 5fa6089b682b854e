"""Run by a test in an environment of its own: KServe's client, or MLServer's types and codecs, against our server.

Prints what they made of our answers as one line of JSON.
"""

import asyncio
import json
import sys
import urllib.request
from typing import Any

import numpy

ROWS = numpy.array([[5.1, 3.5, 1.4, 0.2], [5.9, 3.2, 4.8, 1.8], [6.9, 3.2, 5.7, 2.3]])
TEXTS = ["good film", "bad film"]


async def kserve(address: str) -> dict[str, Any]:
    from kserve import InferenceRESTClient, InferInput, InferRequest, RESTConfig  # type: ignore[import-not-found]

    client = InferenceRESTClient(RESTConfig(protocol="v2", retries=1))
    base = f"http://{address}"
    assert await client.is_server_live(base)
    assert await client.is_server_ready(base)
    assert await client.is_model_ready(base, "iris")
    answers = {}
    for binary in (False, True):
        numbers = InferInput("input-0", list(ROWS.shape), "FP64")
        numbers.set_data_from_numpy(ROWS, binary_data=binary)
        texts = InferInput("text", [2], "BYTES")
        texts.set_data_from_numpy(numpy.array(TEXTS, dtype=object), binary_data=binary)
        iris = await client.infer(base, InferRequest("iris", [numbers], request_id="k-1"), model_name="iris")
        assert iris.id == "k-1"
        text = await client.infer(base, InferRequest("text", [texts]), model_name="text")
        labels = [item.decode() if isinstance(item, bytes) else item for item in text.outputs[0].as_numpy().tolist()]
        answers[binary] = {"predictions": iris.outputs[0].as_numpy().tolist(), "texts": labels}
    assert answers[True] == answers[False]
    return answers[True]


async def mlserver(address: str) -> dict[str, Any]:
    from mlserver.codecs import NumpyCodec, NumpyRequestCodec, StringCodec  # type: ignore[import-not-found]
    from mlserver.types import (  # type: ignore[import-not-found]
        InferenceRequest,
        InferenceResponse,
        MetadataModelResponse,
        MetadataServerResponse,
        RepositoryIndexResponse,
    )

    def ask(path: str, body: Any = None) -> str:
        data = None if body is None else body.model_dump_json(exclude_none=True).encode()
        request = urllib.request.Request(f"http://{address}/v2{path}", data, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request) as answer:
            return str(answer.read().decode())

    MetadataServerResponse.model_validate_json(ask(""))
    assert len(MetadataModelResponse.model_validate_json(ask("/models/iris")).inputs) == 4
    index = urllib.request.Request(f"http://{address}/v2/repository/index", b"{}")
    RepositoryIndexResponse.model_validate_json(urllib.request.urlopen(index).read())
    rows = NumpyRequestCodec.encode_request(ROWS)
    texts = InferenceRequest(inputs=[StringCodec.encode_input("text", TEXTS)])
    iris = InferenceResponse.model_validate_json(ask("/models/iris/infer", rows))
    text = InferenceResponse.model_validate_json(ask("/models/text/infer", texts))
    predictions = NumpyCodec.decode_output(iris.outputs[0]).ravel().tolist()
    return {"predictions": predictions, "texts": StringCodec.decode_output(text.outputs[0])}


if __name__ == "__main__":
    client = {"kserve": kserve, "mlserver": mlserver}[sys.argv[1]]
    print(json.dumps(asyncio.run(client(sys.argv[2]))))
