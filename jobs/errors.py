"""What can go wrong with a request about jobs, each with its status and a code for programs."""

from typing import ClassVar


class JobsError(Exception):
    """The message goes to the client."""

    status: ClassVar[int] = 500
    code: ClassVar[str] = "INTERNAL_ERROR"
    retry_after_seconds: ClassVar[int | None] = None

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class BadRequestError(JobsError):
    status = 400
    code = "BAD_REQUEST"


class NotFoundError(JobsError):
    status = 404
    code = "RESOURCE_DOES_NOT_EXIST"


class ConflictError(JobsError):
    status = 409
    code = "CONFLICT"


class NotEndedError(ConflictError):
    code = "NOT_ENDED"
    retry_after_seconds = 1


class ExpiredError(JobsError):
    status = 410
    code = "EXPIRED"


class KeyReusedError(JobsError):
    status = 422
    code = "IDEMPOTENCY_KEY_REUSED"


class FullError(JobsError):
    status = 429
    code = "QUEUE_FULL"
    retry_after_seconds = 5


class FailedError(JobsError):
    """Of a job's result, where the model server gave no answer."""

    code = "JOB_FAILED"


class AwayError(JobsError):
    status = 503
    code = "TEMPORARILY_UNAVAILABLE"
    retry_after_seconds = 5
