"""The engine's own service, for lines of progress beside a resource's name."""

from typing import Any

import grpc

from localcloud.provider.proto import engine_pb2, engine_pb2_grpc


class Engine:
    def __init__(self, address: str = "") -> None:
        self._stub: Any = None
        if address:
            self.attach(address)

    def attach(self, address: str) -> None:
        self._stub = engine_pb2_grpc.EngineStub(grpc.insecure_channel(address))

    def status(self, urn: str, line: str) -> None:
        """Shown while the resource is being worked on, and not kept. A lost line is no reason to fail."""
        if self._stub is not None:
            request = engine_pb2.LogRequest(severity=engine_pb2.INFO, message=line, urn=urn, ephemeral=True)
            self._stub.Log.future(request, timeout=5)
