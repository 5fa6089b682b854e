"""Makes a deployment for the watcher, in a process of its own: `python3 -m ops.watcher.maker NAME/VERSION[@ALIAS]…`.

Only this one imports mlflow. Its last line is JSON: `{"id": …}`, or `{"refused": reason, "model": name}` for what will
not be better tomorrow. Anything else that it prints is trouble, which may pass. Without a model it fetches the current
release, so that the first wish need not wait for that.
"""

import json
import sys

from ops import promotion, release, store
from ops.errors import RefusedError, reported
from ops.rollout import settings
from ops.watcher.events import say

KEPT_RELEASES = 2


def main(models: list[str]) -> None:
    at = store.current()
    with reported("slipway-watcher"):
        if not models:
            digest = at.manifest(at.pointer())["release"]
            release.unpacked(at, digest, _say)
            release.prune(KEPT_RELEASES)
            print(json.dumps({"release": digest}))
            return
        try:
            bounds = settings.current()
            needed = bounds.require_example
            plan = promotion.plan(at, models, None, breaking=False, alone=True, require_example=needed, progress=_say)
            made = promotion.make(at, plan, _say, build=bounds.build_releases)
        except RefusedError as refusal:
            print(json.dumps({"refused": refusal.message, "model": refusal.model}))
            return
        print(json.dumps({"id": made}))


def _say(text: str) -> None:
    say("making", step=text)


if __name__ == "__main__":
    main(sys.argv[1:])
