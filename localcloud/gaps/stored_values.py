"""Secrets whose deletion blocks their name, and parameters that hold no more than they may.

Moto says that a secret exists when it is one scheduled for deletion, and takes a parameter of any size.
Fixed when `create_secret` over a deleted name answers InvalidRequestException, and `put_parameter` refuses 4,097 bytes.
"""

from typing import Any

from moto.secretsmanager.exceptions import InvalidRequestException
from moto.secretsmanager.models import SecretsManagerBackend
from moto.ssm.exceptions import ValidationException
from moto.ssm.responses import SimpleSystemManagerResponse

from localcloud.gaps.patch import AnyFunction, replace

STANDARD_BYTES, ADVANCED_BYTES = 4096, 8192


def _create_secret(original: AnyFunction, self: Any, name: str, *args: Any, **kwargs: Any) -> Any:
    if name in self.secrets and self.secrets[name].is_deleted():
        raise InvalidRequestException(
            "You can't create this secret because a secret with this name is already scheduled for deletion."
        )
    return original(self, name, *args, **kwargs)


def _put_parameter(original: AnyFunction, self: Any) -> Any:
    limit = ADVANCED_BYTES if self._get_param("Tier") == "Advanced" else STANDARD_BYTES
    if len(str(self._get_param("Value") or "").encode()) > limit:
        raise ValidationException(f"Parameter value exceeds the maximum size of {limit} bytes.")
    return original(self)


def install() -> None:
    replace(SecretsManagerBackend, "create_secret", _create_secret)
    replace(SimpleSystemManagerResponse, "put_parameter", _put_parameter)
