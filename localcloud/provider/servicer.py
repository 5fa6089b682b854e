"""The engine's protocol: requests decoded, answers encoded.

The raw servicer, because the SDK's provider class drops the old inputs and cannot report a partial create.
"""

import threading
from collections.abc import Callable
from typing import Any

from google.protobuf.empty_pb2 import Empty

from localcloud.provider import lifecycle, registry
from localcloud.provider.call import Call
from localcloud.provider.check import DEFAULTS, Defaults, Naming, check, check_function
from localcloud.provider.cloud import Cloud, connect
from localcloud.provider.diff import Difference, diff
from localcloud.provider.engine import Engine
from localcloud.provider.errors import ProviderError
from localcloud.provider.failures import errors, unfinished
from localcloud.provider.proto import plugin_pb2, provider_pb2, provider_pb2_grpc
from localcloud.provider.resource import Resource
from localcloud.provider.values import PropertyPath, decode, encode

VERSION = "7.51.1"
DISABLED = provider_pb2.CheckRequest.AutonamingOptions.Mode.DISABLE


class Provider(provider_pb2_grpc.ResourceProviderServicer):  # type: ignore[misc]
    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._cloud: Cloud | None = None
        self._cancelled = threading.Event()

    def GetPluginInfo(self, request: Any, context: Any) -> Any:
        return plugin_pb2.PluginInfo(version=VERSION)

    def Attach(self, request: Any, context: Any) -> Any:
        self._engine.attach(request.address)
        return Empty()

    def Cancel(self, request: Any, context: Any) -> Any:
        self._cancelled.set()
        return Empty()

    def CheckConfig(self, request: Any, context: Any) -> Any:
        return provider_pb2.CheckResponse(inputs=request.news)

    def DiffConfig(self, request: Any, context: Any) -> Any:
        changed = decode(request.olds).values != decode(request.news).values
        kinds = provider_pb2.DiffResponse
        return provider_pb2.DiffResponse(changes=kinds.DIFF_SOME if changed else kinds.DIFF_NONE)

    def Configure(self, request: Any, context: Any) -> Any:
        with errors(context, "configuring the provider"):
            self._cloud = connect(request.variables)
        return provider_pb2.ConfigureResponse(
            acceptSecrets=True, supportsPreview=True, supports_autonaming_configuration=True
        )

    def Invoke(self, request: Any, context: Any) -> Any:
        with errors(context, f"calling {request.tok}"):
            function = registry.function(request.tok)
            args, problems = check_function(function, decode(request.args).values)
            if problems:
                failures = [provider_pb2.CheckFailure(property=p.path, reason=p.reason) for p in problems]
                return provider_pb2.InvokeResponse(failures=failures)
            return provider_pb2.InvokeResponse(**{"return": encode(function.run(self._call(request), args))})

    def Check(self, request: Any, context: Any) -> Any:
        with errors(context, f"checking {_name(request)}"):
            resource = registry.resource(_token(request))
            news, olds = decode(request.news), decode(request.olds)
            proposal = request.autonaming
            naming = Naming(
                _name(request), request.randomSeed, proposal.proposed_name, disabled=proposal.mode == DISABLED
            )
            cloud = self._known_cloud()
            args, problems = check(
                resource, olds.values, news.values, naming, Defaults(cloud.region, cloud.default_tags), news.secrets
            )
            failures = [provider_pb2.CheckFailure(property=p.path, reason=p.reason) for p in problems]
            return provider_pb2.CheckResponse(inputs=encode(args, _secrets(resource, news.secrets)), failures=failures)

    def Diff(self, request: Any, context: Any) -> Any:
        with errors(context, f"comparing {_name(request)}"):
            resource = registry.resource(_token(request))
            found = diff(resource, decode(request.olds).values, decode(request.news).values)
            return _difference(found)

    def Create(self, request: Any, context: Any) -> Any:
        with errors(context, f"creating {_name(request)}"):
            resource = registry.resource(_token(request))
            inputs = decode(request.properties)
            hidden = _secrets(resource, inputs.secrets)
            if request.preview:
                planned = lifecycle.preview_create(resource, inputs.values)
                return provider_pb2.CreateResponse(properties=encode(planned, hidden))
            with unfinished(context, hidden):
                id, outputs = lifecycle.create(resource, self._call(request), inputs.values)
            return provider_pb2.CreateResponse(id=id, properties=encode(outputs, hidden))

    def Read(self, request: Any, context: Any) -> Any:
        with errors(context, f"reading {_name(request)}"):
            resource = registry.resource(_token(request))
            state, inputs = decode(request.properties), decode(request.inputs)
            found = lifecycle.read(resource, self._call(request), request.id, state.values, inputs.values)
            if found is None:
                return provider_pb2.ReadResponse()
            hidden = _secrets(resource, state.secrets | inputs.secrets)
            return provider_pb2.ReadResponse(
                id=found.id, properties=encode(found.outputs, hidden), inputs=encode(found.inputs, hidden)
            )

    def Update(self, request: Any, context: Any) -> Any:
        with errors(context, f"updating {_name(request)}"):
            resource = registry.resource(_token(request))
            olds, news = decode(request.olds), decode(request.news)
            hidden = _secrets(resource, news.secrets)
            if request.preview:
                planned = lifecycle.preview_update(resource, olds.values, news.values)
                return provider_pb2.UpdateResponse(properties=encode(planned, hidden))
            with unfinished(context, hidden):
                outputs = lifecycle.update(resource, self._call(request), request.id, olds.values, news.values)
            return provider_pb2.UpdateResponse(properties=encode(outputs, hidden))

    def Delete(self, request: Any, context: Any) -> Any:
        with errors(context, f"deleting {_name(request)}"):
            resource = registry.resource(_token(request))
            lifecycle.delete(resource, self._call(request), request.id, decode(request.properties).values)
            return Empty()

    def _known_cloud(self) -> Cloud:
        if self._cloud is None:
            raise ProviderError("the provider was used before it was configured")
        return self._cloud

    def _call(self, request: Any) -> Call:
        urn = getattr(request, "urn", "")
        report: Callable[[str], None] = lambda line: self._engine.status(urn, line)  # noqa: E731
        return Call(
            self._known_cloud(),
            name=_name(request),
            timeout_seconds=getattr(request, "timeout", 0),
            report=report,
            cancelled=self._cancelled,
        )


def _token(request: Any) -> str:
    return request.type or str(request.urn).split("::")[2].split("$")[-1]


def _name(request: Any) -> str:
    urn = getattr(request, "urn", "")
    return getattr(request, "name", "") or (urn.split("::", 3)[3] if urn else "")


def _secrets(resource: Resource, given: frozenset[PropertyPath]) -> frozenset[PropertyPath]:
    own = {(name,) for name in resource.secret_names}
    return frozenset(path for path in given if path[0] != DEFAULTS) | own


def _difference(found: Difference) -> Any:
    kinds = provider_pb2.DiffResponse
    details = {
        path: provider_pb2.PropertyDiff(
            kind=getattr(provider_pb2.PropertyDiff, change.kind + ("_REPLACE" if change.replace else ""))
        )
        for path, change in found.details.items()
    }
    return provider_pb2.DiffResponse(
        changes=kinds.DIFF_SOME if found.changes else kinds.DIFF_NONE,
        diffs=sorted(found.changed),
        replaces=found.replaces,
        deleteBeforeReplace=found.delete_first,
        detailedDiff=details,
        hasDetailedDiff=True,
    )
