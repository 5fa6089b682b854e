"""`slipway release`: of this checkout, from the lock or from what models were logged with."""

import click

from ops import promotion, release, store, terminal
from ops.errors import UserError, reported
from ops.verbs.common import verb


@verb("release", "slipway release", "slipway release --for diabetes@champion", "slipway release --no-upload")
@click.option("--upload/--no-upload", default=True, help="Copy it to the stack's bucket.")
@click.option(
    "--for", "models", multiple=True, metavar="NAME@ALIAS|NAME/VERSION", help="With what this model was logged with."
)
def release_(upload: bool, models: tuple[str, ...]) -> None:
    """Builds the server release of this checkout, uploads it, and prints its digest.

    With --for, its packages are resolved together with what these models and all others that are served were logged
    with. Where no set of packages satisfies all, that conflict is named and nothing is built.
    """
    with reported("slipway release"):
        if models:
            if not upload:
                raise UserError("a release for models is always uploaded", "leave out --no-upload")
            at = store.current()
            plan = promotion.plan(at, models, None, breaking=False, progress=terminal.say)
            click.echo(promotion.release_for(at, plan, terminal.say))
            return
        built = release.build("server", terminal.say)
        if upload:
            terminal.say("uploaded" if release.publish(store.current(), built) else "the bucket has it already")
        click.echo(built.digest)
