"""What the watcher keeps in the cloud: its SSH key, and its book."""

from dataclasses import replace
from pathlib import Path

import boto3
import pytest

from contract import S3
from ops.errors import UserError
from ops.rollout.objects import Objects
from ops.store import Store
from ops.watcher import key
from ops.watcher.book import Attempt, Book, Page
from ops.watcher.wish import Done, Status
from tests.moto.cloud import ENVIRONMENT
from tests.moto.local_api import LocalApi

PAGE = Page(
    ledger={"a": Done("2", Status.REFUSED, "", "it does not load", "r1"), "b": Done("1", Status.DEPLOYED, "d1")},
    attempt=Attempt("d2", "r1", {"a": "3", "b": ""}, "20260101T000000Z-d1"),
    tagged=("b/1",),
)


@pytest.fixture
def at(api: LocalApi, monkeypatch: pytest.MonkeyPatch) -> Store:
    for name, value in {**ENVIRONMENT, "AWS_ENDPOINT_URL": api.endpoint}.items():
        monkeypatch.setenv(name, value)
    bucket = api.name("watcher")
    api.s3.create_bucket(Bucket=bucket)
    return Store("us-east-1", bucket, f"/{bucket}/deployment")


def test_a_new_stack_has_an_empty_book(at: Store) -> None:
    assert Book(at).read() == Page()


def test_what_is_written_is_read_by_the_next_watcher(at: Store) -> None:
    book = Book(at)
    book.read()
    book.write(PAGE)
    assert Book(at).read() == PAGE


def test_a_page_that_says_nothing_new_is_not_written(at: Store) -> None:
    book = Book(at)
    book.write(PAGE)
    first = Objects(at).read(S3.followed)
    book.write(replace(PAGE))
    again = Objects(at).read(S3.followed)
    assert first
    assert again
    assert first.modified == again.modified


def test_a_book_of_a_newer_watcher_is_refused(at: Store) -> None:
    Objects(at).put(S3.followed, {"schema": 2})
    with pytest.raises(UserError, match="schema 2"):
        Book(at).read()


def test_the_key_is_made_once_and_its_public_half_is_told(at: Store, tmp_path: Path) -> None:
    secrets, ssm = (boto3.client(name, region_name=at.region) for name in ("secretsmanager", "ssm"))
    arn = secrets.create_secret(Name=f"{at.bucket}-key")["ARN"]
    name = f"/{at.bucket}/watcher-key"
    ssm.put_parameter(Name=name, Value="pending", Type="String")
    private = key.ensure(secrets, arn)
    assert key.ensure(secrets, arn) == private, "a healed node has the key of its predecessor"
    file = tmp_path / "id_ed25519"
    public = key.place(private, file)
    assert key.place(private, file) == public
    assert file.stat().st_mode & 0o777 == 0o600
    assert key.tell(ssm, name, public)
    assert not key.tell(ssm, name, public)
    assert ssm.get_parameter(Name=name)["Parameter"]["Value"] == public
    assert "PRIVATE" not in public
