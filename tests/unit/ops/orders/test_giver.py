"""The pipeline node's side of an order, with a tracking node that is made up: what a push prints, and how it ends."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from ops.errors import UserError
from ops.orders import giver, pack
from ops.orders import order as orders
from ops.orders.box import TAKEN, WITHDRAWN
from ops.orders.giver import CARRYING_SECONDS, TAKING_SECONDS, Giver
from ops.rollout import hindrance, settings
from tests.unit.ops.orders.conftest import COMMIT, NAME, Memory, live, wanted
from tests.unit.test_rollout_settings import OUTPUT


@dataclass
class Other:
    """What the tracking node does, look for look, once the order is there; and the clock of both."""

    box: Memory
    does: list[Callable[[], object]] = field(default_factory=list)
    now: float = 0.0
    said: list[str] = field(default_factory=list)
    pause: str = ""
    lock: str = ""

    def sleep(self, seconds: float) -> None:
        self.now += seconds if self.does else 600.0
        if self.does:
            self.does.pop(0)()

    def giver(self) -> Giver:
        return Giver(self.box, self.said.append, lambda: self.now, self.sleep)


@pytest.fixture
def other(box: Memory, monkeypatch: pytest.MonkeyPatch) -> Other:
    made = Other(box)
    monkeypatch.setattr(hindrance, "paused", lambda _: made.pause)
    monkeypatch.setattr(hindrance, "rolling", lambda _: made.lock)
    return made


MODULES = wanted(modules=("lib/shop", "tax.py"))


def test_what_the_tracking_node_does_is_shown_as_it_comes_and_its_outcome_is_the_pushs(
    other: Other, box: Memory, tree: Path
) -> None:
    def end() -> None:
        box.write_log(NAME, "...  release\n     release: packing\nok   release\n")
        box.end(NAME, live())

    other.does = [
        lambda: box.take(NAME),
        lambda: box.write_log(NAME, "...  release\n     release: pa"),
        lambda: box.write_log(NAME, "...  release\n     release: packing\n"),
        end,
    ]
    assert other.giver().carried_out(MODULES, tree) == "release bbbbbbbbbbbb is served"
    assert other.said == [
        "ordered from the tracking node, as cccccccccc-1",
        "waiting for the tracking node: it has not been taken up yet",
        "...  release",
        "     release: packing",
        "ok   release",
    ]


def test_an_order_holds_the_modules_and_nothing_else_of_the_push(other: Other, box: Memory, tree: Path) -> None:
    (tree / "secret.txt").write_text("not for the fleet")
    other.does = [lambda: box.end(NAME, live())]
    other.giver().carried_out(MODULES, tree)
    order = box.order(NAME)
    assert order
    pack.unpack(box.tree(NAME), order.tree, tree / "out")
    found = {str(path.relative_to(tree / "out")) for path in (tree / "out").rglob("*") if path.is_file()}
    assert found == {"lib/shop/__init__.py", "tax.py"}
    assert box.bucket.written[:2] == [f"orders/{NAME}/tree.tar", f"orders/{NAME}/order.json"], "it is whole once seen"


def test_without_modules_there_are_no_files(other: Other, box: Memory, tree: Path) -> None:
    other.does = [lambda: box.end(NAME, live())]
    other.giver().carried_out(wanted(requirements=("xgboost>=2",)), tree)
    assert f"orders/{NAME}/tree.tar" not in box.bucket.objects


def test_what_the_tracking_node_refuses_refuses_the_push(other: Other, box: Memory, tree: Path) -> None:
    other.does = [lambda: box.end(NAME, orders.refused("release: module numpy would hide the package of that name"))]
    with pytest.raises(UserError, match="module numpy would hide the package"):
        other.giver().carried_out(MODULES, tree)


def test_it_says_what_it_waits_for_once_each(other: Other, box: Memory, tree: Path) -> None:
    def pause(text: str) -> Callable[[], None]:
        return lambda: setattr(other, "pause", text)

    other.lock = "a rollout is under way"
    other.does = [
        pause("following is paused by bob"),
        pause("following is paused by bob"),
        pause(""),
        lambda: box.take(NAME),
        lambda: box.end(NAME, live()),
    ]
    other.giver().carried_out(MODULES, tree)
    assert other.said[1:] == [
        "waiting for the tracking node: a rollout is under way",
        "waiting for the tracking node: following is paused by bob",
        "waiting for the tracking node: a rollout is under way",
    ]


def test_an_order_that_nobody_takes_up_is_withdrawn_and_the_push_is_refused(
    other: Other, box: Memory, tree: Path
) -> None:
    other.pause = "following is paused by bob"
    with pytest.raises(UserError, match="has not begun within 30 minutes: following is paused by bob"):
        other.giver().carried_out(MODULES, tree)
    assert other.now >= TAKING_SECONDS
    assert not box.take(NAME), "whoever comes later leaves it alone"


def test_an_order_that_is_taken_up_at_the_last_moment_is_waited_for(other: Other, box: Memory, tree: Path) -> None:
    def late() -> None:
        other.now = TAKING_SECONDS
        withdraw = box.withdraw

        def lost(name: str) -> bool:
            box.take(name)
            other.does = [lambda: box.end(NAME, live())]
            return withdraw(name)

        box.withdraw = lost  # type: ignore[method-assign]

    other.does = [late]
    assert other.giver().carried_out(MODULES, tree)


def test_one_that_is_under_way_and_does_not_end_is_given_up_but_not_withdrawn(
    other: Other, box: Memory, tree: Path
) -> None:
    other.does = [lambda: box.take(NAME)]
    with pytest.raises(UserError, match="not come to an end within 3 hours") as caught:
        other.giver().carried_out(MODULES, tree)
    assert "push again to go on waiting" in caught.value.hint
    assert other.now >= CARRYING_SECONDS
    assert box.claim(NAME) == TAKEN
    other.does = [lambda: box.end(NAME, live())]
    assert other.giver().carried_out(MODULES, tree), "the same push finds it again"
    assert {name.split("/")[1] for name in box.bucket.objects} == {NAME}


class Killed(BaseException):
    """The push's process ends here, as by SIGKILL."""


def test_a_push_that_was_killed_goes_on_with_its_own_order(other: Other, box: Memory, tree: Path) -> None:
    def die() -> None:
        raise Killed

    other.does = [lambda: box.take(NAME), die]
    with pytest.raises(Killed):
        other.giver().carried_out(MODULES, tree)
    box.write_log(NAME, "...  release\n")
    other.does = [lambda: box.end(NAME, live())]
    again = other.giver()
    again.carried_out(wanted(modules=MODULES.modules, by="bob@desk"), tree)
    assert "...  release" in other.said, "what it missed is shown"
    assert box.open() == []
    assert {name.split("/")[1] for name in box.bucket.objects} == {NAME}


@pytest.mark.parametrize("ended", ["refused", "live", "withdrawn"])
def test_after_an_end_the_same_push_is_another_order(other: Other, box: Memory, tree: Path, ended: str) -> None:
    packed, digest = pack.pack(tree, MODULES.modules)
    box.give(NAME, orders.Order(**{**vars(MODULES), "tree": digest}), packed)
    if ended == "withdrawn":
        box.withdraw(NAME)
    else:
        box.end(NAME, live() if ended == "live" else orders.refused("no"))
    other.does = [lambda: box.end(f"{COMMIT}-2", live("again"))]
    assert other.giver().carried_out(MODULES, tree) == "again"


@pytest.mark.parametrize("content", [b"{}", orders.content(wanted(models=("a@b",)))])
def test_an_order_that_somebody_else_put_there_is_not_followed(
    other: Other, box: Memory, tree: Path, content: bytes
) -> None:
    box._once(NAME, "order.json", content)
    other.does = [lambda: box.end(f"{COMMIT}-2", live())]
    assert other.giver().carried_out(MODULES, tree)


def test_a_bucket_that_is_away_meanwhile_is_asked_again_and_that_is_said_once(
    other: Other, box: Memory, tree: Path
) -> None:
    def down(why: str) -> Callable[[], None]:
        return lambda: setattr(box.bucket, "down", why)

    other.does = [down("s3 is away"), down("s3 is away"), down(""), lambda: box.end(NAME, live())]
    assert other.giver().carried_out(MODULES, tree)
    assert other.said.count("waiting: s3 is away") == 1


def test_an_answer_that_is_none_refuses_the_push(other: Other, box: Memory, tree: Path) -> None:
    other.does = [lambda: box._once(NAME, "outcome.json", b"fine")]
    with pytest.raises(UserError, match="the tracking node's answer cannot be read: it is no JSON"):
        other.giver().carried_out(MODULES, tree)


def test_a_log_cannot_command_the_pushers_terminal(other: Other, box: Memory, tree: Path) -> None:
    other.does = [lambda: box.write_log(NAME, "\x1b]0;pwned\x07ok\n"), lambda: box.end(NAME, live())]
    other.giver().carried_out(MODULES, tree)
    assert " ]0;pwned ok" in other.said


def test_where_no_alias_is_followed_nobody_would_carry_it_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "current", lambda: settings.parsed({**OUTPUT, "follow_alias": False}))
    assert "delivery.followAlias" in giver.refusal()
    monkeypatch.setattr(settings, "current", lambda: settings.parsed({**OUTPUT, "follow_alias": True}))
    assert giver.refusal() == ""


def test_an_order_is_taken_or_withdrawn_and_never_both(box: Memory) -> None:
    assert box.withdraw(NAME)
    assert not box.take(NAME)
    assert box.claim(NAME) == WITHDRAWN
    other = f"{COMMIT}-2"
    assert box.take(other)
    assert box.take(other), "a watcher that was killed has it still"
    assert not box.withdraw(other)
