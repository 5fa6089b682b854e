"""Orders with S3's own conditions, and pushes by real git to a node's repository, as far as the bucket and back."""

import json
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from contract import S3
from ops import deployment, promotion, release, store
from ops.errors import NotNowError, UserError
from ops.node_python import Progress
from ops.orders import maker, pack
from ops.orders import order as orders
from ops.orders.box import TAKEN, WITHDRAWN, Box
from ops.orders.order import WrongError
from ops.orders.taker import Built, Taker
from ops.promotion import Plan
from ops.push.repository import NOTHING
from ops.release import Release
from ops.rollout import hindrance
from ops.rollout.history import Record
from ops.rollout.lock import Lock, Owner
from ops.rollout.objects import Objects
from ops.store import Store
from ops.watcher.children import Rolled
from tests.moto.cloud import ENVIRONMENT
from tests.moto.local_api import LocalApi
from tests.unit.ops.orders.conftest import DEPLOYMENT, NAME, RELEASE, given, live, tree
from tests.unit.ops.push.conftest import Place, place
from tests.unit.ops.test_modules import base
from tests.unit.test_rollout_settings import OUTPUT

__all__ = ["base", "place", "tree"]
RELEASED = '[release]\nmodules = ["shop.py"]\n'


@pytest.fixture
def at(api: LocalApi, monkeypatch: pytest.MonkeyPatch) -> Store:
    for name, value in {**ENVIRONMENT, "AWS_ENDPOINT_URL": api.endpoint, "AWS_DEFAULT_REGION": "us-east-1"}.items():
        monkeypatch.setenv(name, value)
    bucket = api.name("orders")
    api.s3.create_bucket(Bucket=bucket)
    return Store("us-east-1", bucket, f"/{bucket}/deployment")


@pytest.fixture
def node(place: Place, at: Store) -> Place:
    """The pipeline node's repository, and a commit that wants a release."""
    place.on_a_node({**vars(at), "delivery": OUTPUT})
    place.commit(slipway_dot_toml=RELEASED, shop_dot_py="PRICE = 3\n")
    return place


@pytest.fixture
def released(at: Store, base: str, api: LocalApi, monkeypatch: pytest.MonkeyPatch) -> Store:
    """A fleet that serves a release without models, which the bucket has."""
    release.publish(at, Release(base, str(release.cache_folder() / f"{base}.tar.zst")))
    served = deployment.publish(at, {"schema": 1, "release": base, "models": []})
    api.client("ssm").put_parameter(Name=at.deployment_parameter, Value=served, Type="String")
    monkeypatch.setattr(store, "current", lambda: at)
    monkeypatch.setattr(store, "outputs", lambda: {"delivery": OUTPUT})
    return at


def order(box: Box, tree: Path, module: str, **more: tuple[str, ...]) -> None:
    """One of a module below `tree`."""
    packed, digest = pack.pack(tree, [module])
    wanted = orders.Order(commit="c" * 40, subject="A price", by="ada", modules=(module,), tree=digest, **more)
    box.give(NAME, wanted, packed)


@dataclass
class Fleet:
    """What the tracking node does with an order, without a release or a node. `built` is what comes of it."""

    box: Box
    built: Built = field(default_factory=lambda: Built(DEPLOYMENT, RELEASE))
    served: str = "a" * 12
    reason: str = ""
    by: str = ""

    def hindrance(self) -> str:
        return ""

    def pointer(self) -> str:
        return self.served

    def rollouts(self) -> Iterable[Record]:
        return []

    def make(self, name: str, hear: Callable[[str], None]) -> Built:
        hear("packing the release")
        wanted = self.box.order(name)
        assert wanted
        self.reason = wanted.reason
        return self.built

    def roll(self, deployment: str, reason: str, by: str, hear: Callable[[str], None]) -> Rolled:
        self.served, self.by = deployment, by
        return Rolled(0, "")


@contextmanager
def watched(fleet: Fleet) -> Iterator[None]:
    """A watcher on the tracking node."""
    over = threading.Event()

    def watch() -> None:
        now = 0.0
        taker = Taker(fleet.box, fleet, lambda: now)
        while not over.wait(0.2):
            taker.turn()
            now += 100.0

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def test_an_order_and_its_outcome_are_written_once(at: Store, tree: Path) -> None:
    box = Box(at)
    assert (box.open(), box.order(NAME), box.outcome(NAME), box.claim(NAME), box.log(NAME)) == (
        [],
        None,
        None,
        None,
        "",
    )
    first = given(box, tree)
    box.give(NAME, orders.Order(**{**vars(first), "by": "bob"}), b"other")
    assert box.order(NAME) == first, "the first one stays"
    assert box.open() == [NAME]
    assert box.end(NAME, live())
    assert not box.end(NAME, orders.refused("no"))
    assert box.outcome(NAME) == live()
    assert box.open() == []


def test_of_a_taker_and_a_withdrawal_the_first_one_has_it(at: Store) -> None:
    box = Box(at)
    for _ in range(2):
        assert box.take(NAME)
    assert not box.withdraw(NAME)
    assert box.claim(NAME) == TAKEN
    other = f"{NAME[:-1]}2"
    for _ in range(2):
        assert box.withdraw(other)
    assert not box.take(other)
    assert box.claim(other) == WITHDRAWN


def test_what_hinders_a_rollout_is_told_to_whoever_waits_for_one(at: Store) -> None:
    assert (hindrance.paused(at), hindrance.rolling(at)) == ("", "")
    Objects(at).put(S3.paused, {"by": "bob", "since": "noon", "reason": "the campaign"})
    assert hindrance.paused(at) == "following is paused by bob since noon reason the campaign"
    about = {"deployment": DEPLOYMENT, "previous": "", "kind": "deploy", "by": "bob", "reason": "", "since": "noon"}
    Lock(at).take(Owner(rollout="r", **about))
    assert hindrance.rolling(at) == "a rollout is under way"
    Lock(at).release("r")
    assert hindrance.rolling(at) == ""


def test_what_is_too_large_is_not_read(at: Store, api: LocalApi) -> None:
    api.s3.put_object(Bucket=at.bucket, Key=f"{S3.orders}{NAME}/order.json", Body=b" " * (orders.MOST_BYTES + 1))
    api.s3.put_object(Bucket=at.bucket, Key=f"{S3.orders}{NAME}/tree.tar", Body=b" " * (pack.TAR_BYTES + 1))
    for read in (Box(at).order, Box(at).tree):
        with pytest.raises(WrongError, match="has more than"):
            read(NAME)


def test_a_release_that_is_pushed_to_the_node_is_ordered_shown_and_on_the_branch_when_it_is_live(
    node: Place, at: Store
) -> None:
    fleet = Fleet(Box(at))
    with watched(fleet):
        done = node.push()
    assert done.returncode == 0, done.stderr
    for line in (
        "builds a release with shop.py",
        "ok   release",
        "ok   deploy",
        "live: release bbbbbbbbbbbb is served",
    ):
        assert line in done.stderr, done.stderr
    assert node.bare.tip() == node.git("rev-parse", "HEAD").stdout.strip()
    assert "Another price (Ada)" in fleet.reason
    assert fleet.by == "ada@desk"
    assert node.calls() == [], "nothing is built on the node"


@pytest.mark.long
def test_what_the_tracking_node_refuses_refuses_the_push_and_the_next_one_is_another_order(
    node: Place, at: Store
) -> None:
    fleet = Fleet(Box(at), Built(refused="module shop would hide the package of that name"))
    with watched(fleet):
        done = node.push()
        assert done.returncode == 1
        assert "[remote rejected] HEAD -> production (release: module shop would hide" in done.stderr
        assert node.bare.tip() == NOTHING
        assert fleet.served == "a" * 12
        fleet.built = Built(DEPLOYMENT, RELEASE)
        assert node.push().returncode == 0
    names = {key.split("/")[1] for key in Objects(at).keys(S3.orders)}
    assert names == {f"{node.bare.tip()}-{attempt}" for attempt in (1, 2)}


def test_an_order_of_modules_becomes_a_release_and_a_deployment_of_what_is_served(
    released: Store, base: str, tmp_path: Path
) -> None:
    box, steps = Box(released), list[str]()
    (tmp_path / "shop.py").write_text("PRICE = 3\n")
    order(box, tmp_path, "shop.py")
    made = maker.make(released, NAME, steps.append)
    brought = released.manifest(made)["release"]
    assert made != released.pointer(), "making is no rollout"
    assert released.has(f"{S3.releases}{brought}.tar.zst")
    files = release.unpacked(released, brought)
    assert (files / "src" / "shop.py").read_text() == "PRICE = 3\n"
    assert (files / "lib" / "numpy" / "__init__.py").exists()
    assert "uploaded" in steps
    assert maker.make(released, NAME, steps.append) == made, "again it is the same"
    released.point(made)
    assert maker.make(released, NAME, steps.append) == made, "also when it is served"


@pytest.mark.parametrize(("name", "told"), [("numpy.py", "hide the package of that name"), ("app", "the server's own")])
def test_a_module_that_would_hide_something_is_refused_by_name(
    released: Store, tmp_path: Path, name: str, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    place = tmp_path / name if name.endswith(".py") else tmp_path / name / "__init__.py"
    place.parent.mkdir(exist_ok=True)
    place.touch()
    order(Box(released), tmp_path, name)
    maker.main(NAME)
    answer = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert answer["order"] == NAME
    assert told in answer["refused"]
    assert len(list(Objects(released).keys(S3.deployments))) == 1


def test_modules_that_are_not_those_of_the_order_are_refused(
    released: Store, tree: Path, api: LocalApi, capsys: pytest.CaptureFixture[str]
) -> None:
    given(Box(released), tree)
    api.s3.put_object(Bucket=released.bucket, Key=f"{S3.orders}{NAME}/tree.tar", Body=b"other")
    maker.main(NAME)
    assert "not those of the order" in json.loads(capsys.readouterr().out.splitlines()[-1])["refused"]


def test_packages_are_resolved_with_what_is_served_and_the_modules_come_on_top(
    released: Store, base: str, tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The release with the packages is another's work; here it is the one that is there."""
    asked: list[tuple[str, tuple[str, ...]]] = []

    def release_for(at: Store, plan: Plan, progress: Progress, besides: tuple[str, ...]) -> str:
        asked.append((plan.release, besides))
        return base

    monkeypatch.setattr(promotion, "release_for", release_for)
    order(Box(released), tree, "tax.py", requirements=("trees>=2",))
    made = maker.make(released, NAME, lambda _: None)
    assert asked == [(base, ("trees>=2",))]
    assert (release.unpacked(released, released.manifest(made)["release"]) / "src" / "tax.py").exists()


@pytest.mark.parametrize("error", [NotNowError("the index cannot be read"), UserError("no set of packages satisfies")])
def test_what_may_pass_is_trouble_and_the_rest_a_refusal(
    released: Store, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], error: UserError
) -> None:
    def failing(*_: object) -> str:
        raise error

    monkeypatch.setattr(maker, "make", failing)
    if isinstance(error, NotNowError):
        with pytest.raises(SystemExit):
            maker.main(NAME)
        assert "cannot be read" in capsys.readouterr().err
    else:
        maker.main(NAME)
        assert "no set of packages" in json.loads(capsys.readouterr().out)["refused"]


def test_a_module_that_no_release_can_hold_is_refused_before_it_is_ordered(node: Place, at: Store) -> None:
    (node.user / "shop").mkdir()
    (node.user / "shop" / "passwords.py").symlink_to("/etc/passwd")
    node.commit(slipway_dot_toml='[release]\nmodules = ["shop"]\n')
    done = node.push()
    assert done.returncode == 1
    assert "shop/passwords.py is a link" in done.stderr
    assert list(Objects(at).keys(S3.orders)) == []
