"""Rows in which an operator ships code: a good release, one whose server does not start, an Nginx that is not valid."""

from collections.abc import Iterator
from contextlib import contextmanager

import boto3

from contract import S3
from tests.gameday.day import MODEL, Day
from tests.gameday.rows import row

NGINX = "cloud-init/files/etc/nginx/slipway/model-server.conf.j2"
ANOTHER_PACKAGE = "threadpoolctl==3.6.0"  # not the one of the lock


@contextmanager
def changed(day: Day, file: str, more: str) -> Iterator[None]:
    """A file of the game day's own copy of the checkout, with something at its end."""
    place = day.live.checkout / file
    before = place.read_text()
    place.write_text(before + more)
    try:
        yield
    finally:
        place.write_text(before)


def release(day: Day) -> str:
    """Builds and uploads the copy's release; its digest."""
    return day.live.run("python3", "-m", "ops", "release").stdout.split()[-1]


@row()
def good_release(day: Day) -> None:
    """A good release."""
    with changed(day, "app/__init__.py", "\n# another release\n"):
        digest = release(day)
    day.playbook("deploy.yml", "-e", f"release={digest}")
    day.settled()
    assert day.manifest()["release"] == digest


@row()
def release_with_changed_dependencies(day: Day) -> None:
    """A model that wants other packages: refused as it is, then it comes with a release that has them."""
    before, version = day.pointer, day.good(37, [ANOTHER_PACKAGE])
    named = f"{MODEL}/{version}"
    refused = day.playbook("deploy.yml", "-e", f"model={named}", check=False)
    assert not refused.ok
    assert ANOTHER_PACKAGE.partition("=")[0] in refused.stdout + refused.stderr
    assert day.settled() == before
    digest = day.live.run("python3", "-m", "ops", "release", "--for", named).stdout.split()[-1]
    day.playbook("deploy.yml", "-e", f"model={named}", "-e", f"release={digest}")
    day.settled()
    assert day.manifest()["release"] == digest
    day.playbook("rollback.yml")  # or the rows after this one had to ship releases that have those packages, too
    assert day.settled() == before


@row()
def release_that_does_not_start(day: Day) -> None:
    """A release whose server does not start."""
    before = day.pointer
    with changed(day, "app/gunicorn_config.py", '\nraise RuntimeError("this server does not start")\n'):
        digest = release(day)
    refused = day.playbook("deploy.yml", "-e", f"release={digest}", check=False)
    assert not refused.ok
    said = refused.stdout + refused.stderr
    assert "does not start" in said, said[-600:]
    assert day.settled() == before


@row()
def model_with_other_files(day: Day) -> None:
    """A model whose files in the bucket are not those that the deployment names."""
    before, wanted = day.pointer, day.made(day.good(38))
    digest = day.live.store.manifest(wanted)["models"][0]["digest"]
    with overwritten(day.live.store.bucket, f"{S3.models}{digest}.tar"):
        refused = day.playbook("deploy.yml", "-e", f"deployment={wanted}", check=False)
        assert not refused.ok
        assert f"{digest}.tar in the stack's bucket is not what it is called" in refused.stdout + refused.stderr
    assert day.settled() == before


@contextmanager
def overwritten(bucket: str, key: str) -> Iterator[None]:
    client = boto3.client("s3")
    right = client.get_object(Bucket=bucket, Key=key)["Body"].read()
    client.put_object(Bucket=bucket, Key=key, Body=b"not " + right)
    try:
        yield
    finally:
        client.put_object(Bucket=bucket, Key=key, Body=right)


@row()
def invalid_nginx(day: Day) -> None:
    """A configuration of Nginx that is not valid."""
    with changed(day, NGINX, "\nserver { this is not a directive }\n"):
        refused = day.playbook("site.yml", check=False)
        assert not refused.ok
    day.playbook("site.yml")
    day.settled()
