"""The parts of the OpenAPI description that any deployment has: shapes, errors, the server's own paths."""

from typing import Any

from app.core.body import JSON
from app.http import openapi_schemas as schemas

STRING = {"type": "string"}
ERRORS = {
    "400": "the request is not what the signature or the protocol says",
    "413": "the body, or the number of rows in it, is too large",
    "415": "the content type, its charset, or a content encoding that is not spoken",
    "500": "the model failed; the server's log has the trace under the request id",
    "503": "not ready, or overloaded: try again after the seconds in Retry-After",
}


def errors(shape: str) -> dict[str, Any]:
    content = {JSON: {"schema": ref(shape)}}
    return {status: {"description": why, "content": content} for status, why in ERRORS.items()}


def get(key: str, summary: str, schema: dict[str, Any], *, ready: bool = False) -> dict[str, Any]:
    content = {JSON: {"schema": schema}}
    responses = {"200": {"description": summary, "content": content}}
    if ready:
        responses["503"] = {"description": "not ready", "content": content}
    return {"operationId": key, "summary": summary, "tags": ["server"], "responses": responses}


def server_paths() -> dict[str, Any]:
    asked = {"ready": {"type": "boolean"}}
    index = {
        **get("repository-index", "the models of this deployment and their states", ref("RepositoryIndex")),
        "requestBody": {"content": {JSON: {"schema": {"type": "object", "properties": asked}}}},
    }
    index["responses"].update({status: errors("V2Error")[status] for status in ("400", "413", "415")})
    ready = {"type": "object", "properties": {"ready": {"type": "boolean"}}, "required": ["ready"]}
    live = {"type": "object", "properties": {"live": {"type": "boolean"}}, "required": ["live"]}
    empty = {"200": {"description": "alive"}}
    return {
        "/ping": {"get": {"operationId": "ping", "summary": "MLflow's health check", "responses": empty}},
        "/health": {"get": {"operationId": "health", "summary": "MLflow's health check", "responses": empty}},
        "/version": {"get": get("version", "what is served, by digest", {"type": "object"})},
        "/v2": {"get": get("v2", "the server's name and extensions", ref("ServerMetadata"))},
        "/v2/health/live": {"get": get("v2-live", "whether the server is alive", live)},
        "/v2/health/ready": {"get": get("v2-ready", "whether the server is ready", ready, ready=True)},
        "/v2/repository/index": {"post": index},
    }


def components() -> dict[str, Any]:
    tensors = {"type": "array", "items": ref("TensorMetadata")}
    code = {"code": STRING, "message": STRING, "request_id": STRING}
    output = {**schemas.TENSOR["properties"], "data": {"type": "array"}}
    return {
        "Tensor": schemas.TENSOR,
        "OutputTensor": {"type": "object", "properties": output, "required": ["name", "datatype", "shape"]},
        "RequestedOutput": object({"name": STRING, "parameters": {"type": "object"}}, "name"),
        "TensorMetadata": object({"name": STRING, "datatype": STRING, "shape": {"type": "array"}}),
        "ModelMetadata": object(
            {
                "name": STRING,
                "versions": {"type": "array", "items": STRING},
                "platform": STRING,
                "inputs": tensors,
                "outputs": tensors,
            }
        ),
        "ModelReady": object({"name": STRING, "ready": {"type": "boolean"}}),
        "ServerMetadata": object({"name": STRING, "version": STRING, "extensions": {"type": "array", "items": STRING}}),
        "InferResponse": object(
            {
                "model_name": STRING,
                "model_version": STRING,
                "id": STRING,
                "outputs": {"type": "array", "items": ref("OutputTensor")},
            },
            "model_name",
            "outputs",
        ),
        "RepositoryIndex": {
            "type": "array",
            "items": object(dict.fromkeys(("name", "version", "state", "reason"), STRING)),
        },
        "MlflowError": object({"error_code": STRING, "message": STRING, "request_id": STRING}),
        "Error": object({"error": object(code)}),
        "V2Error": object({"error": STRING}),
    }


def object(properties: dict[str, Any], *required: str) -> dict[str, Any]:
    """All properties are required unless some are named."""
    return {"type": "object", "properties": properties, "required": list(required or properties)}


def ref(name: str) -> dict[str, Any]:
    return {"$ref": f"#/components/schemas/{name}"}
