"""The OpenAPI 3.1 description of what this server answers, made from its deployment and its models' signatures.

A path per model rather than a path parameter, so that each has the schema and the example of its own signature.
"""

import re
from typing import Any
from urllib.parse import quote

from app.core.body import CSV, FORM, JSON
from app.core.deployment import Deployment
from app.core.model import LoadedModel
from app.http import openapi_schemas as schemas
from app.http.openapi_parts import STRING, components, errors, get, ref, server_paths

BINARY = "application/octet-stream"


def document(deployment: Deployment, models: list[LoadedModel], default: str | None) -> dict[str, Any]:
    """`models` are those that are ready; one that is not has no signature to describe."""
    paths, shapes = server_paths(), components()
    for number, model in enumerate(models):
        name, key = quote(model.version.name, safe=""), _key(model, number)
        shapes.update(_modelcomponents(model, key))
        paths.update(_model_paths(model, key, name))
        if model.version.name == default:
            paths["/invocations"] = {"post": _invocations(model, key, "default-")}
            paths["/predict"] = {"post": _predict(model, key, "default-")}
    return {
        "openapi": "3.1.0",
        "info": {"title": "Slipway model server", "version": deployment.id, "description": _about(deployment)},
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {"schemas": shapes},
    }


def _about(deployment: Deployment) -> str:
    listed = ", ".join(version.label for version in deployment.models) or "no model"
    return f"Deployment {deployment.id}: {listed}. Every answer says in its headers which of them it is from."


def _key(model: LoadedModel, number: int) -> str:
    return f"{re.sub(r'[^A-Za-z0-9._-]', '_', model.version.name)}-{number}"


def _modelcomponents(model: LoadedModel, key: str) -> dict[str, Any]:
    schema = model.pyfunc.metadata.get_input_schema()
    return {
        f"{key}-record": schemas.row(schema, strict=False),
        f"{key}-row": schemas.row(schema, strict=True),
        f"{key}-values": schemas.values(schema),
        f"{key}-predictions": schemas.predictions(model.pyfunc.metadata.get_output_schema()),
    }


def _model_paths(model: LoadedModel, key: str, name: str) -> dict[str, Any]:
    version = quote(model.version.version, safe="")
    paths = {
        f"/models/{name}/invocations": {"post": _invocations(model, key)},
        f"/predict/{name}": {"post": _predict(model, key)},
    }
    for base, more in ((f"/v2/models/{name}", ""), (f"/v2/models/{name}/versions/{version}", "version-")):
        paths[base] = {"get": get(f"{key}-{more}metadata", "names, datatypes and shapes", ref("ModelMetadata"))}
        paths[f"{base}/ready"] = {"get": get(f"{key}-{more}ready", "is it ready?", ref("ModelReady"), ready=True)}
        paths[f"{base}/infer"] = {"post": _infer(model, key, more)}
    return paths


def _invocations(model: LoadedModel, key: str, prefix: str = "") -> dict[str, Any]:
    body: dict[str, Any] = {"type": "object", "properties": _inputs(key)}
    if params := schemas.params(model.pyfunc.metadata):
        body["properties"]["params"] = params
    expected = model.version.expected
    asked, answered = ({"example": expected.input}, {"example": expected.output}) if expected else ({}, {})
    answer = {"type": "object", "properties": {"predictions": ref(f"{key}-predictions")}, "required": ["predictions"]}
    content = {JSON: {"schema": body, **asked}, CSV: {"schema": STRING}}
    given = {JSON: {"schema": answer, **answered}}
    return {
        **_about_model(model, f"{prefix}{key}-invocations", "MLflow's scoring protocol"),
        **_post(content, given, "MlflowError"),
    }


def _inputs(key: str) -> dict[str, Any]:
    data = {"columns": {"type": "array"}, "data": {"type": "array", "items": {"type": "array"}}}
    return {
        "dataframe_records": {"type": "array", "items": ref(f"{key}-record")},
        "dataframe_split": {"type": "object", "properties": data, "required": ["data"]},
        "instances": {"type": "array"},
        "inputs": {},
    }


def _predict(model: LoadedModel, key: str, prefix: str = "") -> dict[str, Any]:
    one = [ref(f"{key}-row"), ref(f"{key}-values")]
    body = {"anyOf": [one[0], {"type": "array", "minItems": 1, "items": {"anyOf": one}}]}
    rows = schemas.rows_of(model.version.example)
    content: dict[str, Any] = {JSON: {"schema": body} | ({"example": rows} if rows else {})}
    schema = model.pyfunc.metadata.get_input_schema()
    if schema is not None and schema.has_input_names() and not schema.is_tensor_spec():
        content[FORM] = {"schema": ref(f"{key}-row")} | ({"example": rows[0]} if rows else {})
    answer = {
        "type": "object",
        "properties": {
            "predictions": ref(f"{key}-predictions"),
            "classes": {"type": "array", "description": "a classifier's labels, in the order of its probabilities"},
            "probabilities": {"type": "array", "items": {"type": "array", "items": {"type": ["number", "null"]}}},
        },
        "required": ["predictions"],
    }
    return {
        **_about_model(model, f"{prefix}{key}-predict", "rows in, predictions out"),
        **_post(content, {JSON: {"schema": answer}}, "Error"),
    }


def _infer(model: LoadedModel, key: str, more: str) -> dict[str, Any]:
    body = {
        "type": "object",
        "properties": {
            "id": STRING,
            "parameters": {"type": "object"},
            "inputs": schemas.tensors(model.pyfunc.metadata),
            "outputs": {"type": "array", "items": ref("RequestedOutput")},
        },
        "required": ["inputs"],
    }
    tensors = schemas.tensor_example(model.version.example, model.pyfunc.metadata)
    raw = {"schema": {**STRING, "contentMediaType": BINARY}}
    content = {JSON: {"schema": body} | ({"example": {"inputs": tensors}} if tensors else {}), BINARY: raw}
    given = {JSON: {"schema": ref("InferResponse")}, BINARY: raw}
    return {
        **_about_model(model, f"{key}-{more}infer", "Open Inference Protocol V2"),
        **_post(content, given, "V2Error"),
    }


def _about_model(model: LoadedModel, key: str, summary: str) -> dict[str, Any]:
    return {"operationId": key, "summary": f"{model.version.label}: {summary}", "tags": [model.version.name]}


def _post(content: dict[str, Any], given: dict[str, Any], error: str) -> dict[str, Any]:
    return {
        "requestBody": {"required": True, "content": content},
        "responses": {"200": {"description": "the predictions", "content": given}, **errors(error)},
    }
