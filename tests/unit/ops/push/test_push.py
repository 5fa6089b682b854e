"""Real pushes by git to a real bare repository with its real hooks; what they start is the test's own `slipway`."""

import json
import os
import signal
import subprocess
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from ops.push import pushes
from ops.push.pushes import LIVE, REFUSED
from ops.push.repository import NOTHING
from tests.unit.ops.push.conftest import PROMOTED, TRAIN, Place
from tests.unit.test_rollout_settings import OUTPUT
from tests.waiting import until


def test_a_push_trains_and_the_branch_is_there_when_it_is_live(place: Place) -> None:
    commit = place.git("rev-parse", "HEAD").stdout.strip()
    done = place.push()
    assert done.returncode == 0, done.stderr
    assert "remote: ...  validate" in done.stderr, "what the training prints is streamed to the pusher"
    assert "remote: live: prices: rmse 1" in done.stderr
    assert place.bare.tip() == commit
    (call,) = place.calls()
    assert call["argv"][:4] == ["train", "prices", "--run", f"push-{commit[:10]}"]
    assert call["files"] == ["pipelines/prices.py", "shop.py", "slipway.toml"]
    assert call["pipelines"] == f"{call['cwd']}/pipelines"
    assert call["by"] == "ada@desk"
    assert not [name for name in call["git"] if name in ("GIT_DIR", "GIT_QUARANTINE_PATH", "GIT_OBJECT_DIRECTORY")]
    assert not Path(call["cwd"]).exists(), "the checked-out tree is removed"
    assert place.outcome().outcome == LIVE


@pytest.mark.long
def test_a_second_push_builds_on_the_first(place: Place) -> None:
    place.push()
    second = place.commit(shop_dot_py="PRICE = 2\n")
    assert place.push().returncode == 0
    assert place.bare.tip() == second
    assert place.push().stderr.strip() == "Everything up-to-date"


def test_a_refused_candidate_refuses_the_push_and_says_why(place: Place) -> None:
    place.push()
    before = place.bare.tip()
    place.answer(train={"error": "follow: the fleet did not take version 8 (refused): it answers wrongly"})
    commit = place.commit(shop_dot_py="worse\n")
    done = place.push()
    assert done.returncode == 1
    assert done.stderr.count("remote: slipway train: follow: the fleet did not take version 8") == 1
    assert "[remote rejected] HEAD -> production (follow: the fleet did not take version 8" in done.stderr
    assert place.bare.tip() == before
    assert (place.outcome().new, place.outcome().outcome) == (commit, REFUSED)


@pytest.mark.long
def test_a_model_that_is_not_better_refuses_and_one_that_is_equal_does_not(place: Place) -> None:
    place.answer(train={"prints": json.dumps(PROMOTED | {"decision": "not better", "outcome": "unchanged"})})
    done = place.push()
    assert "the model is not taken: prices: rmse 1" in done.stderr
    assert place.bare.tip() == NOTHING
    place.answer(train={"prints": json.dumps(PROMOTED | {"decision": "equal", "outcome": "unchanged"})})
    assert place.push().returncode == 0
    again = [call["argv"][3] for call in place.calls()]
    assert again[1] == f"{again[0]}-2", "after a refusal a push trains anew"


@pytest.mark.long
def test_where_no_alias_is_followed_the_push_rolls_it_out_itself(place: Place) -> None:
    place.answer(train={"prints": json.dumps(PROMOTED | {"deployment": ""})}, promote={})
    assert place.push().returncode == 0
    promote = place.calls()[1]["argv"]
    assert promote[:3] == ["promote", "prices/7", "--reason"]
    assert "Another price (Ada)" in promote[3]


def test_a_release_is_built_of_the_pushed_modules_and_rolled_out(place: Place) -> None:
    digest = "b" * 64
    place.answer(
        release={"prints": digest}, deployment={"prints": json.dumps({"id": "c" * 12, "release": "a" * 64})}, promote={}
    )
    place.commit(slipway_dot_toml='[release]\nmodules = ["shop.py"]\n')
    assert place.push().returncode == 0
    built, _, rolled = place.calls()
    assert built["argv"] == ["release", "--module", f"{built['cwd']}/shop.py", "--served"]
    assert rolled["argv"][:3] == ["promote", "--release", digest]


@pytest.mark.long
def test_a_release_that_is_served_already_rolls_nothing(place: Place) -> None:
    digest = "b" * 64
    place.answer(release={"prints": digest}, deployment={"prints": json.dumps({"id": "c" * 12, "release": digest})})
    place.commit(slipway_dot_toml='[release]\nmodules = ["shop.py"]\n')
    done = place.push()
    assert done.returncode == 0
    assert "is served already, in deployment cccccccccccc" in done.stderr
    assert [call["argv"][0] for call in place.calls()] == ["release", "deployment"]


def test_on_a_node_a_release_is_refused_at_once_where_nobody_follows_an_alias(place: Place) -> None:
    """Nobody there would carry it out."""
    place.on_a_node({"delivery": {**OUTPUT, "follow_alias": False}})
    place.commit(slipway_dot_toml='[release]\nmodules = ["shop.py"]\n')
    done = place.push()
    assert done.returncode == 1
    assert "remote: refused: this node trains, and has no key for the fleet" in done.stderr
    assert "delivery.followAlias" in done.stderr
    assert (place.bare.tip(), place.calls(), list(pushes.newest_first(place.bare))) == (NOTHING, [], [])


def test_on_a_node_a_training_is_what_it_is_elsewhere(place: Place) -> None:
    place.on_a_node({"delivery": {**OUTPUT, "follow_alias": False}})
    assert place.push().returncode == 0
    assert place.calls()[0]["argv"][:2] == ["train", "prices"]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (None, "there is no slipway.toml in what was pushed"),
        ("[train\n", "slipway.toml is no TOML: "),
        ('[train]\npipeline = "pipelines/other.py"\n', "names pipelines/other.py, which is not in what was pushed"),
        ('[train]\npipelin = "pipelines/prices.py"\n', "there is no train.pipelin: did you mean train.pipeline?"),
    ],
)
def test_what_cannot_be_read_is_refused_with_one_line(place: Place, content: str | None, told: str) -> None:
    place.commit(slipway_dot_toml=content)
    done = place.push()
    assert done.returncode == 1
    assert len([line for line in done.stderr.splitlines() if told in line]) == 1, done.stderr
    assert "Traceback" not in done.stderr
    assert (place.bare.tip(), place.calls()) == (NOTHING, [])


def test_a_file_that_is_no_text_is_refused(place: Place) -> None:
    (place.user / "slipway.toml").write_bytes(TRAIN.encode() + b"# \xff\n")
    place.commit()
    assert "slipway.toml is not UTF-8" in place.push().stderr
    assert place.bare.tip() == NOTHING


def test_a_pipeline_that_is_a_link_is_refused(place: Place) -> None:
    (place.user / "pipelines" / "linked.py").symlink_to("/etc/passwd")
    place.commit(slipway_dot_toml='[train]\npipeline = "pipelines/linked.py"\n')
    assert "names pipelines/linked.py, which is a link" in place.push().stderr
    assert place.bare.tip() == NOTHING


@pytest.mark.parametrize("reference", ["HEAD:main", "HEAD:production/new", "HEAD:refs/tags/v1"])
def test_only_one_branch_is_taken(place: Place, reference: str) -> None:
    done = place.push(reference)
    assert done.returncode == 1
    assert "only production is taken here" in done.stderr
    assert place.bare.git("for-each-ref").stdout == ""


@pytest.mark.long
def test_the_branch_is_neither_deleted_nor_rewritten(place: Place) -> None:
    place.push()
    before = place.bare.tip()
    assert "cannot be deleted" in place.push(":production").stderr
    place.git("commit", "--quiet", "--amend", "--message", "Another story")
    assert f"it leaves out {before[:10]}, which is live" in place.push("HEAD:production", "--force").stderr
    assert place.bare.tip() == before
    assert len(place.calls()) == 1


@pytest.mark.long
def test_git_s_own_setting_lets_a_rewriting_push_through(place: Place) -> None:
    place.push()
    place.bare.git("config", "receive.denyNonFastForwards", "false")
    place.git("commit", "--quiet", "--amend", "--message", "Another story")
    assert place.push().returncode == 1, "git itself asks for --force"
    assert place.push("HEAD:production", "--force").returncode == 0
    assert place.bare.tip() == place.git("rev-parse", "HEAD").stdout.strip()


@pytest.mark.long
def test_two_pushes_at_once_queue_up_and_both_go_live(place: Place) -> None:
    place.hold()
    with place.pushing() as first:
        place.called(1)
        newer = place.commit(shop_dot_py="PRICE = 3\n")
        with place.pushing() as second:
            until(lambda: len(list(pushes.newest_first(place.bare))) == 2, "the second push")
            waiting = pushes.log(place.bare, next(pushes.newest_first(place.bare)))
            until(lambda: "waiting for" in waiting.read_text(), "the second push to say that it waits")
            assert len(place.calls()) == 1
            place.release()
            told = second.communicate(timeout=60)[0]
        assert first.wait(timeout=60) == 0
    assert "the push of " in told
    assert "by ada@desk" in told
    assert second.returncode == 0, told
    assert place.bare.tip() == newer


@pytest.mark.long
def test_a_push_that_was_overtaken_by_another_line_of_work_is_refused(place: Place) -> None:
    base = place.git("rev-parse", "HEAD").stdout.strip()
    place.hold()
    with place.pushing() as first:
        place.called(1)
        place.git("checkout", "--quiet", "--orphan", "other")
        place.commit(shop_dot_py="PRICE = 4\n")
        with place.pushing() as second:
            until(lambda: len(list(pushes.newest_first(place.bare))) == 2, "the second push")
            place.release()
            told = second.communicate(timeout=60)[0]
        assert first.wait(timeout=60) == 0
    assert second.returncode == 1
    assert "production has moved to" in told
    assert place.bare.tip() == base


@pytest.mark.long
@pytest.mark.parametrize("whole", [False, True], ids=["the pusher", "with git's own processes"])
def test_a_push_whose_pusher_is_killed_comes_to_its_end(place: Place, whole: bool) -> None:
    """The training goes on in a process of its own, and the branch moves with the fleet."""
    commit = place.git("rev-parse", "HEAD").stdout.strip()
    place.answer(train={"prints": json.dumps(PROMOTED), "lines": 1000})
    place.hold()
    with place.pushing() as push:
        place.called(1)
        if whole:
            os.killpg(push.pid, signal.SIGKILL)
        else:
            push.kill()
    place.release()
    assert place.outcome().outcome == LIVE
    assert place.bare.tip() == commit
    assert place.push().stderr.strip() == "Everything up-to-date"


@pytest.mark.long
def test_ctrl_c_at_the_pusher_leaves_a_refused_push_refused(place: Place) -> None:
    place.answer(train={"error": "validate: the training table is empty"})
    place.hold()
    with place.pushing() as push:
        place.called(1)
        os.killpg(push.pid, signal.SIGINT)
    place.release()
    assert (place.outcome().outcome, place.outcome().why) == (REFUSED, "validate: the training table is empty")
    assert place.bare.tip() == NOTHING


@pytest.mark.long
def test_a_push_whose_own_process_was_killed_is_taken_up_by_the_next_one(place: Place) -> None:
    place.hold()
    with place.pushing() as push:
        place.called(1)
        for file in Path("/proc").glob("[0-9]*/cmdline"):
            with suppress(OSError):
                if file.read_bytes().split(b"\0")[3:5] == [b"ops.push.run", bytes(place.bare.folder)]:
                    os.kill(int(file.parent.name), signal.SIGKILL)
        told = push.communicate(timeout=60)[0]
    assert push.returncode == 1
    assert "it was ended in the middle; push again to go on from there" in told
    assert place.bare.tip() == NOTHING
    place.release()
    assert place.push().returncode == 0
    runs = {call["argv"][3] for call in place.calls()}
    assert len(runs) == 1, "it goes on with the same training"


def test_a_repository_that_would_move_the_branch_by_itself_takes_nothing(place: Place) -> None:
    place.bare.git("config", "--unset", "receive.procReceiveRefs")
    assert "would move the branch without a rollout" in place.push().stderr
    assert (place.bare.tip(), place.calls()) == (NOTHING, [])


@pytest.mark.long
def test_a_clone_of_it_has_what_is_live(place: Place, tmp_path: Path) -> None:
    place.push()
    subprocess.run(["git", "clone", "--quiet", place.bare.folder, tmp_path / "clone"], check=True)
    assert (tmp_path / "clone" / "slipway.toml").read_text() == TRAIN


def test_old_pushes_are_forgotten(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pushes, "KEPT", 2)
    push = pushes.Push(id="1", new="a" * 40, old=NOTHING, by="ada", since="now")
    for identity in ("1", "2", "3"):
        pushes.ended(place.bare, replace(push, id=identity), LIVE, "well")
    assert [each.id for each in pushes.newest_first(place.bare)] == ["3", "2"]
