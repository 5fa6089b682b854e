"""A job as the JSON that its address answers."""

from datetime import datetime

import orjson

from jobs.store import FAR, Job

JSON = "application/json"


def document(job: Job, position: int | None = None, content: bytes | None = None) -> bytes:
    """`content` is the model server's answer, which is put in as it came when it is JSON, without reading it again."""
    place = f"/jobs/{job.id}"
    facts = {
        "id": str(job.id),
        "state": job.state,
        "created": _time(job.created),
        "started": _time(job.started),
        "ended": _time(job.ended),
        "attempts": job.attempt,
        "model": job.model,
        "deployment": job.deployment,
        "request_id": job.request_id,
        "position": position,
        "position_is_at_least": True if position == FAR else None,
        "reason": job.reason,
        "status": job.status,
        "result_url": f"{place}/result" if job.result_size is not None else None,
        "result_bytes": job.result_size,
    }
    text = orjson.dumps({name: value for name, value in facts.items() if value is not None})
    name = b"error" if job.state == "failed" else b"result"
    if content is not None and is_json(job.result_type):
        return b'%s,"%s":%s}\n' % (text[:-1], name, content.strip() or b"null")
    if job.state == "failed":
        return b'%s,"error":%s}\n' % (text[:-1], orjson.dumps({"message": job.reason}))
    return text + b"\n"


def is_json(content_type: str | None) -> bool:
    return (content_type or "").partition(";")[0].strip().lower() == JSON


def accepted(job: str) -> bytes:
    return orjson.dumps({"id": job, "state": "queued", "url": f"/jobs/{job}"}) + b"\n"


def error(code: str, message: str, request_id: str) -> bytes:
    """In the shape of the model server's own errors."""
    return orjson.dumps({"error": {"code": code, "message": message, "request_id": request_id}}) + b"\n"


def _time(moment: datetime | None) -> str | None:
    return moment.isoformat(timespec="milliseconds") if moment else None


def cancelled(job: str) -> bytes:
    return orjson.dumps({"id": job, "state": "cancelled"}) + b"\n"
