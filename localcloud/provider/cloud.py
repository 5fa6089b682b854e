"""The local cloud as the provider reaches it: the endpoint, proved to be one, and a client per service.

The endpoint comes from AWS_ENDPOINT_URL alone. A provider that answered for any other would change an AWS account, or
a stranger's server, from a shell that was meant for the local stack.
"""

import json
import os
import threading
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from localcloud.provider.errors import ProviderError

PROOF = "/slipway/localcloud"
HINT = "start it with `make up`, then `. .slipway/env`; for AWS use a shell without .slipway/env, and the real plugin"


@dataclass
class Cloud:
    endpoint: str
    region: str
    default_tags: Mapping[str, str] = field(default_factory=dict)
    _clients: dict[str, Any] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def client(self, service: str) -> Any:
        with self._lock:
            if service not in self._clients:
                self._clients[service] = self._session.client(service, endpoint_url=self.endpoint, config=self._config)
            return self._clients[service]

    @cached_property
    def account(self) -> str:
        return str(self.client("sts").get_caller_identity()["Account"])

    @cached_property
    def _session(self) -> Any:
        import boto3

        return boto3.Session(region_name=self.region)

    @cached_property
    def _config(self) -> Any:
        from botocore.config import Config

        return Config(
            max_pool_connections=32,
            proxies={},
            retries={"max_attempts": 3, "mode": "standard"},
            s3={"addressing_style": "path"},
            read_timeout=60,
        )


def connect(variables: Mapping[str, str], environ: Mapping[str, str] = os.environ) -> Cloud:
    """The cloud that the stack's `aws:` configuration and the environment name, or ProviderError why there is none."""
    given = {key.rsplit(":", 1)[-1]: value for key, value in variables.items()}
    if json.loads(given.get("endpoints") or "[]"):
        raise ProviderError("aws:endpoints is set", hint="the endpoint comes from AWS_ENDPOINT_URL only")
    endpoint = environ.get("AWS_ENDPOINT_URL", "").rstrip("/")
    if not endpoint:
        raise ProviderError("AWS_ENDPOINT_URL is not set, so there is no local cloud to work on", hint=HINT)
    _prove(endpoint)
    region = given.get("region") or environ.get("AWS_REGION") or environ.get("AWS_DEFAULT_REGION")
    if not region:
        raise ProviderError("no region", hint="set aws:region, or AWS_REGION")
    tags = json.loads(given.get("defaultTags") or "{}").get("tags") or {}
    return Cloud(endpoint, region, {key: str(value) for key, value in tags.items()})


def _prove(endpoint: str) -> None:
    try:
        direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with direct.open(endpoint + PROOF, timeout=10) as answer:
            said = json.load(answer)
    except (OSError, ValueError, urllib.error.URLError) as error:
        raise ProviderError(f"{endpoint} is not a running local cloud ({error})", hint=HINT) from error
    if not isinstance(said, dict) or said.get("slipway") != "localcloud":
        raise ProviderError(f"{endpoint} answers, and is not a local cloud", hint=HINT)
