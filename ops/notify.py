"""Tells a chat what became of a training or of a rollout: where its address comes from, and what it is told.

Off unless there is an address. It is a secret: a value in Secrets Manager, or a file, and never an argument, a setting
or a line of a log. What tells of a rollout is a process of its own, that nobody waits for.
"""

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ops import cache, store
from ops.errors import UserError, reported

if TYPE_CHECKING:
    from ops.rollout.history import Record
    from ops.webhook import Webhook

CHECKOUT = Path(__file__).resolve().parents[1]
FILE = "SLIPWAY_WEBHOOK_FILE"
PRIVATE = "SLIPWAY_WEBHOOK_PRIVATE"
SECRET = "webhook_secret_arn"  # noqa: S105 - the name of an output
PATIENCE_SECONDS = 60.0
ROLLOUT_PATIENCE_SECONDS = 600.0
TITLE, VALUE = 150, 1900
"""Characters that a chat takes of a heading and of a field, and a little less."""


@dataclass(frozen=True)
class Message:
    """A heading, facts by name, and where to read more. Empty facts are left out."""

    title: str
    facts: Mapping[str, str]
    link: str = ""

    def payload(self) -> dict[str, Any]:
        """An incoming webhook's JSON: `text` for what shows no blocks."""
        facts = [(name, value[:VALUE]) for name, value in self.facts.items() if value]
        lines = [f"*{name}:* {_escaped(value)}" for name, value in facts]
        more = [f"<{self.link}|more>"] if self.link else []
        blocks: list[dict[str, Any]] = [
            {"type": "header", "text": {"type": "plain_text", "text": self.title[:TITLE]}},
            *({"type": "section", "text": {"type": "mrkdwn", "text": each}} for each in lines),
            *({"type": "context", "elements": [{"type": "mrkdwn", "text": each}]} for each in more),
        ]
        return {"text": "\n".join([_escaped(self.title), *lines, *more]), "blocks": blocks}


def webhook() -> "Webhook | None":
    """Of the stack at hand, or of the file that the environment names; None: nobody is told. Raises `UserError`."""
    from ops.webhook import Webhook

    if file := os.environ.get(FILE):
        try:
            url = Path(file).read_text()
        except OSError as error:
            raise UserError(
                f"{FILE}: {file}: {error.strerror}", "it names the file with the webhook's address"
            ) from None
    else:
        url = _secret() or ""
    return Webhook.parse(url, private=_private()) if url.strip() else None


def send(message: Message, patience_seconds: float = PATIENCE_SECONDS) -> str:
    """The host that was told; empty when nobody is to be. Raises `UserError`."""
    if (target := webhook()) is None:
        return ""
    target.send(message.payload(), patience_seconds=patience_seconds)
    return target.host


def rollout_ended(record: "Record") -> None:
    """Starts the process that tells of it, if anybody is to be told. Never raises and never waits: a rollout's end does
    not depend on who hears of it."""
    try:
        if record.deployment == record.previous and not record.why:
            return  # maintenance, or a rollout of what is served: nothing has changed
        if not (os.environ.get(FILE) or _delivery().get(SECRET)):
            return
        log = cache.folder("rollouts") / f"{record.rollout}.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("a") as output:
            subprocess.Popen(
                [sys.executable, "-m", "ops.notify", record.rollout],
                cwd=CHECKOUT,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
    except (UserError, OSError) as error:
        print(f"nobody is told of rollout {record.rollout}: {error}", file=sys.stderr)


def _delivery() -> Mapping[str, Any]:
    found: Mapping[str, Any] = store.outputs().get("delivery") or {}
    return found


def _private() -> bool:
    """For tests, and for a chat inside the network: only where it is set."""
    return os.environ.get(PRIVATE) == "1" if os.environ.get(FILE) else bool(_delivery().get("webhook_private"))


def _secret() -> str | None:
    """None when the stack names no secret, or when nobody has filled it yet. Raises `UserError`."""
    arn = _delivery().get(SECRET)
    if not arn:
        return None
    import boto3
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        answer = boto3.client("secretsmanager", region_name=store.outputs()["region"]).get_secret_value(SecretId=arn)
    except ClientError as error:
        if error.response["Error"]["Code"] == "ResourceNotFoundException":
            return None
        raise UserError(f"the webhook's secret cannot be read: {error}") from None
    except BotoCoreError as error:
        raise UserError(f"the webhook's secret cannot be read: {error}") from None
    return str(answer["SecretString"])


def _escaped(text: str) -> str:
    """https://api.slack.com/reference/surfaces/formatting#escaping"""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def main(rollout: str) -> None:
    """`python -m ops.notify ROLLOUT`: tells of a rollout that has ended, as the history has it."""
    from ops.rollout import told
    from ops.rollout.history import History

    with reported("slipway notify"):
        at = store.current()
        record = History(at).read(rollout)
        if record is None:
            raise UserError(f"the history has no rollout {rollout}", "`slipway history` lists them")
        host = send(told.message(at, record, str(store.outputs().get("url", ""))), ROLLOUT_PATIENCE_SECONDS)
        print(f"{rollout}: {f'{host} was told' if host else 'nobody is to be told'}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
