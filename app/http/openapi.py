"""How to talk to this server: `/openapi.json` for programs, `/docs` for people, both from the deployment itself."""

import json
import shlex
from typing import Any
from urllib.parse import quote

from flask import Blueprint, Response, jsonify, render_template, request

from app.core.body import JSON
from app.core.model import LoadedModel
from app.core.openinference_signature import describe
from app.http import openapi_schemas as schemas
from app.http.openapi_document import document
from app.http.state import serving

EXAMPLE_LENGTH = 2000  # of a command line on the page; a longer example is for /openapi.json

routes = Blueprint("openapi", __name__, template_folder="templates")


@routes.get("/openapi.json")
def openapi() -> Response:
    default = serving().default()
    return jsonify(document(serving().deployment, _ready(), default.name if default else None))


@routes.get("/docs")
def docs() -> str:
    default = serving().default()
    models = [_described(model) for model in _ready()]
    return render_template(
        "docs.html", deployment=serving().deployment, models=models, default=default.name if default else None
    )


def _ready() -> list[LoadedModel]:
    here = serving()
    return [here.model(version) for version in here.deployment.models if here.status(version) == "ready"]


def _described(model: LoadedModel) -> dict[str, Any]:
    name, metadata, body = model.version.name, model.pyfunc.metadata, model.version.example
    rows, tensors = schemas.rows_of(body), schemas.tensor_example(body, metadata)
    calls = [("MLflow's scoring protocol", f"/models/{quote(name)}/invocations", body)]
    calls.append(("Rows", f"/predict/{quote(name)}", rows))
    calls.append(("Open Inference Protocol", f"/v2/models/{quote(name)}/infer", tensors and {"inputs": tensors}))
    described = describe(metadata, model.classes)
    schema = metadata.get_input_schema()
    types = [_type(spec) for spec in schema.inputs] if schema else []
    return {
        "version": model.version,
        "inputs": list(zip(described["inputs"], types, strict=True)),
        "outputs": described["outputs"],
        "params": (schemas.params(metadata) or {}).get("properties", {}),
        "calls": [(title, _curl(path, body)) for title, path, body in calls if body],
        "answer": json.dumps(expected.output)[:EXAMPLE_LENGTH] if (expected := model.version.expected) else None,
    }


def _type(spec: Any) -> str:
    name = getattr(spec.type, "name", str(spec.type))
    return name if spec.required else f"{name}, optional"


def _curl(path: str, body: Any) -> str:
    """The balancer says whether the client came by HTTPS."""
    scheme = "https" if request.headers.get("X-Forwarded-Proto") == "https" else request.scheme
    url = shlex.quote(f"{scheme}://{request.host}{path}")
    text = json.dumps(body, ensure_ascii=False)
    if len(text) > EXAMPLE_LENGTH:
        return f"# the example is long: /openapi.json has it\ncurl {url} -H 'Content-Type: {JSON}' -d @example.json"
    return f"curl {url} \\\n  -H 'Content-Type: {JSON}' \\\n  -d {shlex.quote(text)}"
