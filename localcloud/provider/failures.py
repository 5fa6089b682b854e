"""Errors in the form that the engine understands: a status with one line, and what exists in spite of it."""

import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import grpc
from google.protobuf.any_pb2 import Any as AnyMessage

from localcloud.provider.errors import CancelledError, ProviderError, WaitError, code, text
from localcloud.provider.lifecycle import UnfinishedError
from localcloud.provider.proto import provider_pb2, status_pb2
from localcloud.provider.values import PropertyPath, encode


@contextmanager
def unfinished(context: Any, hidden: frozenset[PropertyPath]) -> Iterator[None]:
    """Tells the engine of a resource that exists and is not complete, so that its state is kept."""
    try:
        yield
    except UnfinishedError as error:
        detail = AnyMessage()
        detail.Pack(
            provider_pb2.ErrorResourceInitFailed(
                id=error.id, properties=encode(error.outputs, hidden), reasons=[str(error)]
            )
        )
        status = status_pb2.Status(code=grpc.StatusCode.UNKNOWN.value[0], message=str(error), details=[detail])
        context.set_trailing_metadata((("grpc-status-details-bin", status.SerializeToString()),))
        context.abort(grpc.StatusCode.UNKNOWN, str(error))


@contextmanager
def errors(context: Any, doing: str) -> Iterator[None]:
    """A refusal is one line; what nobody expected shows its traceback."""
    try:
        yield
    except (ProviderError, WaitError, CancelledError) as error:
        context.abort(grpc.StatusCode.UNKNOWN, f"{doing}: {error}")
    except Exception as error:
        if context.code() is not None:  # aborted already, with its details
            raise
        told = text(error) if code(error) else f"{text(error)}\n{traceback.format_exc()}"
        context.abort(grpc.StatusCode.UNKNOWN, f"{doing}: {told}")
