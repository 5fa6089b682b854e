"""What the watcher says: one line of JSON for each event, as everything on a node does. The journal keeps it."""

import json
from typing import Any


def say(event: str, **fields: Any) -> None:
    print(json.dumps({"event": event, **fields}, default=str), flush=True)
