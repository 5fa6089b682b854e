"""What can go wrong with a request, each with the HTTP status and the MLflow error code that say so.

They carry the status because the place that notices knows best; one handler in `app/http` renders them all.
"""

from typing import ClassVar


class ServingError(Exception):
    """The message goes to the client: it names what came, what was expected, and never holds a traceback."""

    status: ClassVar[int] = 500
    code: ClassVar[str] = "INTERNAL_ERROR"
    retry_after_seconds: ClassVar[int | None] = None

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class BadInputError(ServingError):
    status = 400
    code = "BAD_REQUEST"


class UnknownModelError(ServingError):
    status = 404
    code = "RESOURCE_DOES_NOT_EXIST"


class TooLargeError(ServingError):
    status = 413
    code = "BAD_REQUEST"


class NoJobsError(ServingError):
    """Somebody asks for an answer later, and this stack has asynchronous predictions turned off."""

    status = 400
    code = "ASYNC_OFF"


class UnsupportedContentError(ServingError):
    status = 415
    code = "BAD_REQUEST"


class ModelFailedError(ServingError):
    """The model raised on an input that fits its signature: its cause is for the log only."""


class NotReadyError(ServingError):
    status = 503
    code = "TEMPORARILY_UNAVAILABLE"
    retry_after_seconds = 5


class OverloadedError(ServingError):
    status = 503
    code = "TEMPORARILY_UNAVAILABLE"
    retry_after_seconds = 1


class BadDeploymentError(Exception):
    """The manifest or a setting of the server is unusable: the server does not start. One line, for the operator."""
