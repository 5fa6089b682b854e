"""Makes the release and the deployment of an order, in a process of its own: `python3 -m ops.orders.maker NAME`.

What it does is what `slipway release` and `slipway promote` do for a person. Its last line is JSON: the order's name,
and the deployment, or `refused` for what will not be better tomorrow. Any other end is trouble, which may pass.
"""

import json
import sys
import tempfile
from pathlib import Path

from ops import growing, modules, promotion, release, store
from ops.errors import NotNowError, UserError, reported
from ops.node_python import Progress
from ops.orders import pack
from ops.orders.box import Box
from ops.orders.order import Order, WrongError
from ops.rollout import settings, trial
from ops.store import Store
from ops.watcher.events import say
from ops.watcher.maker import KEPT_RELEASES


def main(name: str) -> None:
    with reported("slipway-watcher"):
        at = store.current()
        try:
            made = make(at, name, lambda step: say("making", step=step))
        except NotNowError:
            raise
        except UserError as error:
            print(json.dumps({"order": name, "refused": error.message}))
        else:
            print(json.dumps({"order": name, "deployment": made, "release": at.manifest(made)["release"]}))
        finally:
            if release.cache_folder().is_dir():
                release.prune(KEPT_RELEASES)


def make(at: Store, name: str, progress: Progress) -> str:
    """The id of the deployment, which may be what is served. Raises `UserError`, a `NotNowError` for what may pass."""
    trial.refuse_another(at, None)
    box = Box(at)
    wanted = box.order(name)
    if wanted is None:
        raise WrongError("the order is not there")
    with tempfile.TemporaryDirectory(prefix="slipway-order-") as folder:
        tree = Path(folder) / "tree"
        if wanted.modules:
            pack.unpack(box.tree(name), wanted.tree, tree)
        digest = build(at, wanted, tree, progress)
    served = at.pointer()
    if digest == at.manifest(served)["release"] and not wanted.models:
        return served
    bounds = settings.current()
    needed = bounds.require_example
    plan = promotion.plan(at, wanted.models, digest, breaking=False, require_example=needed, progress=progress)
    return promotion.make(at, plan, progress, build=bounds.build_releases)


def build(at: Store, wanted: Order, tree: Path, progress: Progress) -> str:
    """The digest of what is served with these packages and these modules; it is in the bucket then."""
    base: str = at.manifest(at.pointer())["release"]
    if wanted.requirements:
        plan = promotion.plan(at, wanted.models, None, breaking=False, progress=progress)
        base = promotion.release_for(at, plan, progress, wanted.requirements)
    with growing.full_disk_told(release.cache_folder()):
        made = modules.add(at, base, [tree / each for each in wanted.modules], progress)
    progress("uploaded" if release.publish(at, made) else "the bucket has it already")
    return made.digest


if __name__ == "__main__":
    main(sys.argv[1])
