"""`slipway release`: of this checkout or of what is served, and what models want besides."""

from collections.abc import Mapping
from pathlib import Path

import click

from ops import modules, promotion, release, store, terminal
from ops.errors import UserError, reported
from ops.packages import Kind
from ops.release import Release
from ops.store import Store
from ops.training import outline
from ops.training.outline import Unusable
from ops.verbs.common import verb

SETTINGS: Mapping[Kind, str] = {
    "control": "slipway:tracking.controlRelease",
    "training": "slipway:pipeline.trainingRelease",
    "airflow": "slipway:pipeline.airflowRelease",
}
"""What brings a release that is no server's to its node."""


@verb(
    "release",
    "slipway release",
    "slipway release --for diabetes@champion",
    "slipway release --require 'xgboost>=2'",
    "slipway release --served --module features/   what is served, and this besides",
    "slipway release --kind training              the pipelines of this checkout, for the pipeline node",
    "slipway release --no-upload",
)
@click.option(
    "--kind",
    type=click.Choice(["server", *SETTINGS]),
    default="server",
    show_default=True,
    help="Whose: of the serving, the tracking (control) or the pipeline node (training, airflow).",
)
@click.option("--upload/--no-upload", default=True, help="Copy it to the stack's bucket.")
@click.option(
    "--for", "models", multiple=True, metavar="NAME@ALIAS|NAME/VERSION", help="With what this model was logged with."
)
@click.option("--require", "requirements", multiple=True, metavar="REQUIREMENT", help="With this package, too.")
@click.option(
    "--module",
    "paths",
    multiple=True,
    type=click.Path(exists=True, path_type=Path),
    help="With this Python file or folder, which models import.",
)
@click.option("--served", is_flag=True, help="From the release that is served, with its packages, not this checkout.")
def release_(
    *,
    kind: Kind,
    upload: bool,
    models: tuple[str, ...],
    requirements: tuple[str, ...],
    paths: tuple[Path, ...],
    served: bool,
) -> None:
    """Builds the server release of this checkout, or another --kind, uploads it, and prints its digest.

    With --for or --require, its packages are resolved together with what all models that are served were logged with.
    Where no set of packages satisfies all, that conflict is named and nothing is built.
    """
    if kind != "server" and (models or requirements or paths or served):
        raise click.UsageError(
            f"a {kind} release is this checkout's: leave out --for, --require, --module and --served"
        )
    if served and (models or requirements):
        raise click.UsageError("--served keeps the packages as they are: leave out --for and --require")
    with reported("slipway release"):
        if not upload and (models or requirements or paths or served):
            raise UserError("such a release is always uploaded", "leave out --no-upload")
        if kind == "training":
            refuse_unusable()
        if not upload:
            click.echo(release.build(kind, terminal.say).digest)
            return
        at = store.current()
        built = (
            release.build(kind, terminal.say) if kind != "server" else _based(at, models, requirements, served=served)
        )
        if paths or served:
            built = modules.add(at, built.digest, [path.resolve() for path in paths], terminal.say)
        terminal.say("uploaded" if release.publish(at, built) else "the bucket has it already")
        if kind != "server":
            terminal.say(f"`pulumi config set --path {SETTINGS[kind]} {built.digest}` and `pulumi up` bring it")
        click.echo(built.digest)


def refuse_unusable() -> None:
    """Raises `UserError` for a file among the checkout's pipelines that is none: its node would only leave it out."""
    found = outline.all_of(release.CHECKOUT / "pipelines")
    if reasons := [each.reason for each in found if isinstance(each, Unusable)]:
        raise UserError("; ".join(reasons), outline.HINT)


def _based(at: Store, models: tuple[str, ...], requirements: tuple[str, ...], *, served: bool) -> Release:
    """The release without modules; in the bucket, unless this checkout alone has made it."""
    if served:
        digest = at.manifest(at.pointer())["release"]
    elif models or requirements:
        plan = promotion.plan(at, models, None, breaking=False, progress=terminal.say)
        digest = promotion.release_for(at, plan, terminal.say, requirements)
    else:
        return release.build("server", terminal.say)
    return Release(digest, str(release.cache_folder() / f"{digest}.tar.zst"))
