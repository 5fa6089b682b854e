"""The protocol's reference clients, unmodified, over a socket.

Triton's client is in the lock. KServe's and MLServer's pin other versions of what the server itself uses, so they run
in an environment of their own, made on demand: set SLIPWAY_TEST_CLIENTS=1 where uv may fetch packages.
"""

import json
import os
import shutil
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy
import pytest
import tritonclient.http as triton
from flask.testing import FlaskClient
from sklearn.datasets import load_iris
from tritonclient.utils import InferenceServerException
from werkzeug.serving import make_server

ROWS = load_iris().data[[0, 70, 120]]
FOREIGN = Path(__file__).with_name("foreign_clients.py")


@pytest.fixture(scope="module")
def address(zoo_client: FlaskClient) -> Iterator[str]:
    server = make_server("127.0.0.1", 0, zoo_client.application, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"127.0.0.1:{server.port}"
    server.shutdown()
    thread.join()


@pytest.fixture
def client(address: str) -> Iterator[triton.InferenceServerClient]:
    with triton.InferenceServerClient(address) as found:
        yield found


def tensor(name: str, array: numpy.ndarray, datatype: str, binary: bool) -> triton.InferInput:
    found = triton.InferInput(name, list(array.shape), datatype)
    found.set_data_from_numpy(array, binary_data=binary)
    return found


def test_triton_asks_about_the_server_and_its_models(client: triton.InferenceServerClient) -> None:
    assert client.is_server_live()
    assert client.is_server_ready()
    assert client.is_model_ready("iris")
    assert client.is_model_ready("iris", "3")
    assert not client.is_model_ready("iris", "4")
    assert client.get_server_metadata()["name"] == "slipway"
    metadata = client.get_model_metadata("iris", "3")
    assert [tensor["datatype"] for tensor in metadata["inputs"]] == ["FP64"] * 4
    states = {entry["name"]: entry["state"] for entry in client.get_model_repository_index()}
    assert states["iris"] == "READY"
    with pytest.raises(InferenceServerException, match="only a rollout"):
        client.unload_model("iris")


@pytest.mark.parametrize("binary_in", [True, False])
@pytest.mark.parametrize("binary_out", [True, False])
def test_triton_predicts_in_json_and_in_bytes(
    client: triton.InferenceServerClient, zoo_client: FlaskClient, binary_in: bool, binary_out: bool
) -> None:
    expected = zoo_client.post("/predict/iris", json=ROWS.tolist()).json
    names = ("predictions", "probabilities", "classes")
    outputs = [triton.InferRequestedOutput(name, binary_data=binary_out) for name in names]
    inputs = [tensor("input-0", ROWS, "FP64", binary_in)]
    result = client.infer("iris", inputs, "3", outputs=outputs, request_id="r-7")
    assert result.get_response()["id"] == "r-7"
    assert result.as_numpy("predictions").tolist() == expected["predictions"]
    assert result.as_numpy("probabilities").tolist() == expected["probabilities"]
    assert result.as_numpy("classes").tolist() == expected["classes"]


def test_triton_gets_all_outputs_in_bytes_when_it_names_none(client: triton.InferenceServerClient) -> None:
    array = numpy.array([1.0, 4.0, numpy.nan])
    result = client.infer("facts", [tensor("x", array, "FP64", True)])
    assert {output["name"] for output in result.get_response()["outputs"]} == {"mean", "name", "root"}
    assert numpy.isnan(result.as_numpy("root")[2]), "bytes keep what JSON cannot"
    assert result.as_numpy("name").tolist() == [b"facts"]


@pytest.mark.parametrize("binary", [True, False])
def test_triton_sends_text(client: triton.InferenceServerClient, binary: bool) -> None:
    array = numpy.array(["good film", "Zürich bore"], dtype=object)
    result = client.infer("text", [tensor("text", array, "BYTES", binary)])
    assert [item.decode() if isinstance(item, bytes) else item for item in result.as_numpy("predictions")] == ["+", "-"]
    assert client.infer("greet", [tensor("name", array, "BYTES", binary)], parameters={"word": "hi"}).as_numpy(
        "predictions"
    ).tolist() == [b"hi good film", "hi Zürich bore".encode()]


def test_triton_sends_every_number_type(client: triton.InferenceServerClient) -> None:
    floats = numpy.arange(6, dtype=numpy.float32).reshape(1, 2, 3)
    halves = client.infer("halves", [tensor("x", floats, "FP32", True)]).as_numpy("predictions")
    assert (halves.dtype, halves.shape) == (numpy.float32, (1, 2, 3))
    assert (halves == floats / 2).all()
    for datatype, dtype in (("FP16", "f2"), ("FP32", "f4"), ("INT8", "i1"), ("UINT16", "u2"), ("INT32", "i4")):
        result = client.infer("scaled", [tensor("x", numpy.array([3], dtype=dtype), datatype, True)])
        assert result.as_numpy("predictions").tolist() == [6.0], datatype


def test_triton_reads_our_errors(client: triton.InferenceServerClient) -> None:
    with pytest.raises(InferenceServerException, match="no model 'tulip'") as unknown:
        client.infer("tulip", [tensor("x", ROWS, "FP64", True)])
    assert unknown.value.status() == "404"
    with pytest.raises(InferenceServerException, match="expected a tensor for each of the columns"):
        client.infer("iris", [tensor("x", ROWS[:, :3], "FP64", True)])
    with pytest.raises(InferenceServerException, match="not compressed"):
        client.infer("iris", [tensor("x", ROWS, "FP64", True)], request_compression_algorithm="gzip")


@pytest.mark.skipif(
    "SLIPWAY_TEST_CLIENTS" not in os.environ, reason="fetches packages: SLIPWAY_TEST_CLIENTS is not set"
)
@pytest.mark.parametrize("package", ["kserve==0.21.0", "mlserver==1.7.1"])
def test_clients_whose_pins_are_not_ours_read_what_we_answer(
    address: str, zoo_client: FlaskClient, package: str
) -> None:
    uv = shutil.which("uv")
    assert uv, "uv is not on the PATH"
    environment = ["--no-project", "--isolated", "--python", "3.11", "--with", package]
    command = [uv, "run", "-q", *environment, "python", "-P", str(FOREIGN), package.split("=", maxsplit=1)[0]]
    done = subprocess.run([*command, address], capture_output=True, text=True, timeout=500, check=False)
    assert done.returncode == 0, done.stderr
    expected = zoo_client.post("/predict/iris", json=ROWS.tolist()).json["predictions"]
    assert json.loads(done.stdout.splitlines()[-1]) == {"predictions": expected, "texts": ["+", "-"]}
