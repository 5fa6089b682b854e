"""The `slipway` command: which verbs there are. What each does is in `ops/verbs/`."""

import click

from ops import maintenance
from ops.rollout import command as rollout
from ops.verbs import (
    batch,
    jobs,
    locks,
    logs,
    manual,
    promote,
    push,
    records,
    releases,
    retention,
    rollouts,
    ssh,
    status,
    training,
    wait,
)
from ops.verbs.common import examples
from ops.watcher import command as watcher


@click.group(
    epilog=examples("slipway status", "slipway promote diabetes@champion", "slipway rollback", "slipway logs --follow"),
    context_settings={"help_option_names": ["-h", "--help"]},
)
def main() -> None:
    """Slipway: serve MLflow models from plain VMs in your own AWS account.

    It talks to the stack that the environment names: SLIPWAY_STACK, or `. .slipway/env` for the local one.

    Exit status: 0 done, all agree; 1 refused, or something does not agree; 2 wrong usage.
    """


for each in (
    status.status,
    promote.promote,
    rollouts.rollback,
    records.history,
    records.diff,
    logs.logs,
    ssh.ssh,
    jobs.jobs,
    batch.batch,
    releases.release_,
    push.push,
    locks.lock,
    locks.pause,
    locks.resume,
    manual.deployment_group,
    manual.pointer_group,
    manual.drain,
    manual.undrain,
    manual.hold,
    manual.unhold,
    retention.prune_,
    training.train,
    wait.wait,
    maintenance.main,
    rollout.main,
    watcher.main,
):
    main.add_command(each)
