"""What can go wrong, and how it is told: a user's mistake in one line with a hint, AWS's refusal by its own code."""

import re
from typing import Any

_GONE = re.compile(r"^NoSuch|NotFound|Not_Found|^404$|DoesNotExist|^InvalidInstanceConnectEndpointId")


class ProviderError(Exception):
    """A mistake that the user can mend: `message` names the value, `hint` the way out."""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(f"{message}: {hint}" if hint else message)


class WaitError(Exception):
    """Something was made, and did not become what it should in time, or ended in failure. Its text is the reason."""


class CancelledError(Exception):
    """The engine told the provider to stop; what was under way is reported as unfinished."""


def _refusal(error: BaseException | None) -> BaseException | None:
    """The refusal by AWS that an error is, or was made from (boto3's transfers wrap it)."""
    while error is not None and not isinstance(getattr(error, "response", None), dict):
        error = error.__cause__ or error.__context__
    return error


def code(error: BaseException) -> str:
    """The error code of a refusal by AWS (`InvalidVpcID.NotFound`), or the empty string for anything else."""
    refusal: Any = _refusal(error)
    return str(refusal.response.get("Error", {}).get("Code", "")) if refusal else ""


def gone(error: BaseException) -> bool:
    """Whether AWS says that the thing asked for does not exist."""
    return bool(_GONE.search(code(error)))


def text(error: BaseException) -> str:
    """One line for the engine: AWS's operation, code and message, or the exception's own text."""
    refusal: Any = _refusal(error)
    if refusal is None:
        return str(error) or type(error).__name__
    said = refusal.response.get("Error", {})
    return f"{getattr(refusal, 'operation_name', 'the call')}: {said.get('Code')}: {said.get('Message')}"
