"""The order of a rollout: the playbooks run as they are, on nodes that only write down what they are told."""

import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from contract import ACTIVATE_EXIT
from ops.run import Result, run

PLAYBOOKS = Path(__file__).resolve().parents[2] / "playbooks"
NODES = ("n1", "n2", "n3")
BEGUN = {
    "rollout": "20260102T030405Z-aaaaaaaaaaaa",
    "deployment": "aaaaaaaaaaaa",
    "previous": "000000000000",
    "kind": "deploy",
    "before": "m/1",
    "after": "m/2",
    "nodes": list(NODES),
    "batch": "50%",
    "at_once": False,
    "bake_seconds": 5,
    "watch_seconds": 7,
    "minimum_requests": 20,
    "keep_deployments": 4,
    "deadline_seconds": 600,
}
TOOL = """#!/bin/sh
printf '%s %s\\n' "$(basename "$(dirname "$0")")" "$*" >> {told}
for answer in "$(dirname "$0")"/"$1" "$(dirname "$0")"/"$1-$4"; do
    [ -e "$answer" ] && . "$answer"
done
exit 0
"""
PYTHON = """#!/bin/sh
case "$*" in
-m\\ ops\\ rollout\\ *) shift 3 ;;
-m\\ ops\\ rollback\\ *) shift 2 ;;
*) exec {python} "$@" ;;
esac
[ "$1" = judge ] && cat > {folder}/judged.json
printf 'controller %s\\n' "$*" >> {folder}/told
[ -e {folder}/"$1" ] && . {folder}/"$1"
exit 0
"""


class Scene:
    """Three nodes, and a controller whose `python3 -m ops` is a script too. `answers` are what they do."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.bin = folder / "bin"
        self.bin.mkdir()
        self._script(self.bin / "python3", PYTHON.format(python=shutil.which("python3"), folder=folder))
        for node in NODES:
            (folder / node).mkdir()
            self._script(folder / node / "slipway-activate", TOOL.format(told=folder / "told"))
            self.answer(node, "status", """echo '{"serving": "000000000000"}'""")
            self.answer(node, "observe", f"echo '{json.dumps({'deployment': node, 'requests': 9})}'")
        self.begun(BEGUN)
        self.answer("", "back", "echo 'it is reverted' >&2; exit 1")

    def begun(self, facts: Mapping[str, Any]) -> None:
        self.answer("", "begin", f"echo '{json.dumps(facts)}'")

    def answer(self, node: str, verb: str, lines: str) -> None:
        (self.folder / node / verb).write_text(f"{lines}\n")

    def play(self, name: str, *words: str, unreachable: str = "") -> Result:
        hosts = {node: {"ansible_connection": "local"} for node in NODES}
        if unreachable:
            hosts[unreachable] = {"ansible_connection": "ssh", "ansible_host": "127.0.0.1", "ansible_port": "1"}
        inventory = self.folder / "inventory.yml"
        inventory.write_text(json.dumps({"serving": {"hosts": hosts}}))
        given = {
            "ansible_become": False,
            "ansible_python_interpreter": "/usr/bin/python3",
            "rollout_activate": f"{self.folder}/{{{{ inventory_hostname }}}}/slipway-activate",
        }
        env = {
            "PATH": f"{self.bin}:{os.environ['PATH']}",
            "ANSIBLE_CONFIG": str(PLAYBOOKS / "ansible.cfg"),
            "ANSIBLE_HOME": str(self.folder / "home"),
            "ANSIBLE_LOCALHOST_WARNING": "False",
        }
        argv: list[str | Path] = [
            "ansible-playbook",
            "-i",
            inventory,
            PLAYBOOKS / name,
            "-e",
            json.dumps(given),
            *words,
        ]
        return run(argv, env=env, check=False, timeout_seconds=240)

    @property
    def told(self) -> list[str]:
        """What was asked, in order; nodes that are asked at once in the order of their names."""
        file = self.folder / "told"
        return file.read_text().splitlines() if file.exists() else []

    def of(self, who: str) -> list[str]:
        return [line.removeprefix(f"{who} ") for line in self.told if line.startswith(f"{who} ")]

    def place(self, line: str) -> int:
        return self.told.index(line)

    @staticmethod
    def _script(path: Path, text: str) -> None:
        path.write_text(text)
        path.chmod(0o755)


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path)


ACTIVATED = "activate aaaaaaaaaaaa --provisional 600"
BACK = f"rollout back {BEGUN['rollout']}"


def controller(scene: Scene) -> list[str]:
    return [line.partition(" ")[0] for line in scene.of("controller")]


def test_a_rollout_prepares_all_bakes_one_moves_the_rest_commits_watches_and_confirms(scene: Scene) -> None:
    scene.answer("", "judge", f"(cat {scene.folder}/judged.json; echo) >> {scene.folder}/all")
    done = scene.play("deploy.yml", "-e", "deployment=aaaaaaaaaaaa")
    assert done.returncode == 0, done.stdout + done.stderr
    assert controller(scene) == ["begin", "judge", "commit", "judge", "end"]
    assert "--deployment aaaaaaaaaaaa" in scene.of("controller")[0]
    assert [line.split()[0] for line in scene.of("n1")] == (
        ["prepare", "activate", "mark", "observe", "observe", "mark", "observe", "observe", "confirm"]
    )
    assert "observe 5 --marked" in scene.of("n1")
    assert "observe 7 --marked" in scene.of("n1")
    assert "observe 0 --marked --least 20" in scene.of("n2")
    assert "confirm --keep 4" in scene.of("n3")
    judged, commit = scene.told.index("controller judge"), scene.place(f"controller commit {BEGUN['rollout']}")
    for node in NODES:
        assert scene.place(f"{node} prepare aaaaaaaaaaaa") < scene.place(f"n1 {ACTIVATED}")
        assert scene.place(f"{node} {ACTIVATED}") < commit < scene.place(f"{node} confirm --keep 4")
    assert scene.place(f"n1 {ACTIVATED}") < judged
    for node in NODES[1:]:
        assert judged < scene.place(f"{node} {ACTIVATED}")
    bake, watch = (json.loads(line) for line in (scene.folder / "all").read_text().splitlines() if line)
    assert [window["deployment"] for window in bake["candidates"]] == ["n1"]
    assert sorted(window["deployment"] for window in bake["others"]) == list(NODES[1:])
    assert [window["deployment"] for window in watch["candidates"]] == list(NODES)
    assert sorted(window["deployment"] for window in watch["others"]) == list(NODES[1:]), "what was usual before"


def test_a_candidate_that_fails_its_gate_goes_no_further(scene: Scene) -> None:
    log = {"event": "failed", "message": "wrong answer", "log": ["Traceback", "KeyError: 7"]}
    scene.answer("n1", "activate", f"echo '{json.dumps(log)}' >&2; exit 13")
    failed = scene.play("deploy.yml")
    assert failed.returncode != 0
    assert controller(scene) == ["begin", "back"]
    assert "KeyError: 7" in failed.stdout
    assert f"n2 {ACTIVATED}" not in scene.told


@pytest.mark.long
def test_a_candidate_that_does_worse_than_the_others_goes_back(scene: Scene) -> None:
    scene.answer("", "judge", "echo 'slipway rollout: it failed 9 of 9 requests' >&2; exit 1")
    failed = scene.play("deploy.yml")
    assert failed.returncode != 0
    assert controller(scene) == ["begin", "judge", "back"]
    assert "it failed 9 of 9 requests" in scene.of("controller")[-1]


@pytest.mark.long
def test_one_node_of_a_batch_that_fails_stops_the_rest(scene: Scene) -> None:
    scene.begun({**BEGUN, "batch": "1%"})
    scene.answer("n2", "activate", """echo '{"message": "no room"}' >&2; exit 12""")
    failed = scene.play("deploy.yml")
    assert failed.returncode != 0
    assert controller(scene) == ["begin", "judge", "back"]
    assert scene.of("controller")[-1].endswith("--why n2: no room;")
    assert f"n3 {ACTIVATED}" not in scene.told


@pytest.mark.long
def test_a_node_that_cannot_be_reached_ends_the_rollout_in_order(scene: Scene) -> None:
    failed = scene.play("deploy.yml", unreachable="n2")
    assert failed.returncode != 0
    assert controller(scene) == ["begin", "back"]
    assert "n2: " in scene.of("controller")[-1], failed.stdout


@pytest.mark.long
def test_errors_after_the_commit_bring_the_fleet_back(scene: Scene) -> None:
    scene.answer("", "commit", f"echo 'echo worse >&2; exit 1' > {scene.folder}/judge")
    failed = scene.play("deploy.yml")
    assert failed.returncode != 0
    assert controller(scene) == ["begin", "judge", "commit", "judge", "back"]
    assert not any("confirm" in line for line in scene.told)


@pytest.mark.long
def test_a_fleet_without_models_is_rolled_at_once(scene: Scene) -> None:
    scene.begun({**BEGUN, "at_once": True})
    done = scene.play("deploy.yml")
    assert done.returncode == 0, done.stdout + done.stderr
    assert controller(scene) == ["begin", "commit", "end"]
    assert all(scene.of(node) == ["prepare aaaaaaaaaaaa", ACTIVATED, "confirm --keep 4"] for node in NODES)


@pytest.mark.long
def test_a_node_that_is_busy_is_asked_again(scene: Scene) -> None:
    scene.answer("n2", "activate", f"rm {scene.folder}/n2/activate; exit {ACTIVATE_EXIT.busy}")
    scene.begun({**BEGUN, "at_once": True})
    done = scene.play("deploy.yml")
    assert done.returncode == 0, done.stdout + done.stderr
    assert scene.of("n2") == ["prepare aaaaaaaaaaaa", ACTIVATED, ACTIVATED, "confirm --keep 4"]


def test_a_rollback_is_one_command_that_asks_the_nodes_itself(scene: Scene) -> None:
    scene.answer("", "rollback", f"""echo "$SLIPWAY_BY" > {scene.folder}/by; echo '{{"deployment": "aaaaaaaaaaaa"}}'""")
    done = scene.play("rollback.yml", "-e", json.dumps({"deployment": "aaaaaaaaaaaa", "by": "ada", "reason": "-r w"}))
    assert done.returncode == 0, done.stdout + done.stderr
    assert scene.of("controller") == ["rollback --json --reason -r w -- aaaaaaaaaaaa"]
    assert (scene.folder / "by").read_text() == "ada\n"
    assert not [line for node in NODES for line in scene.of(node)]


def test_a_rollback_in_check_mode_shows_the_change_on_each_node(scene: Scene) -> None:
    scene.answer("", "rollback", f"echo '{json.dumps(BEGUN)}'")
    shown = scene.play("rollback.yml", "--check", "--diff")
    assert shown.returncode == 0, shown.stdout + shown.stderr
    assert scene.of("controller") == ["rollback --json --check"]
    assert all(scene.of(node) == ["status --json"] for node in NODES)
    assert shown.stdout.count("-000000000000 m/1") == shown.stdout.count("+aaaaaaaaaaaa m/2") == len(NODES)


@pytest.mark.long
def test_check_mode_shows_the_change_on_each_node_and_makes_none(scene: Scene) -> None:
    shown = scene.play("deploy.yml", "--check", "--diff")
    assert shown.returncode == 0, shown.stdout + shown.stderr
    assert controller(scene) == ["begin"]
    assert scene.of("controller")[0].endswith("--check")
    assert all(scene.of(node) == ["status --json"] for node in NODES)
    assert shown.stdout.count("-000000000000 m/1") == shown.stdout.count("+aaaaaaaaaaaa m/2") == len(NODES)


def test_what_is_given_empty_is_handed_on_and_not_taken_for_nothing(scene: Scene) -> None:
    scene.answer("", "begin", "echo refused >&2; exit 1")
    failed = scene.play("deploy.yml", "-e", "deployment=")
    assert failed.returncode != 0
    assert scene.of("controller") == ["begin --deployment "], "with nothing at all it would be what the alias says"
    assert not [line for node in NODES for line in scene.of(node)]


TRIED = {**BEGUN, "kind": "trial", "percent": 5, "trial": ["share", "aaaaaaaaaaaa", "5"]}
SEEN = {"candidate": {"deployment": "c"}, "serving": {"deployment": "s"}, "answers": {"same": 2}}


@pytest.fixture
def trying(scene: Scene) -> Scene:
    scene.begun(TRIED)
    for node in NODES:
        scene.answer(node, "observe", f"echo '{json.dumps(SEEN)}'")
    return scene


@pytest.mark.long
def test_a_trial_is_given_its_traffic_everywhere_compared_and_kept(trying: Scene) -> None:
    trying.answer("", "judge", f"(cat {trying.folder}/judged.json; echo) >> {trying.folder}/all")
    trying.answer("", "try", f"cat > {trying.folder}/answers")
    done = trying.play("trial.yml", "-e", "deployment=aaaaaaaaaaaa canary=5%")
    assert done.returncode == 0, done.stdout + done.stderr
    assert trying.of("controller")[0] == "begin --deployment aaaaaaaaaaaa --canary 5%"
    assert controller(trying) == ["begin", "judge", "try", "end"]
    assert f"try {BEGUN['rollout']} 5" in trying.of("controller")
    given, kept = "share aaaaaaaaaaaa 5 --provisional 600", "share aaaaaaaaaaaa 5"
    for node in NODES:
        assert [line.split()[0] for line in trying.of(node)] == [
            "prepare",
            "share",
            "mark",
            "observe",
            "observe",
            "share",
        ]
        assert trying.place(f"{node} {given}") < trying.place("controller judge") < trying.place(f"{node} {kept}")
    assert "observe 5 --trial" in trying.of("n1")
    assert "observe 0 --trial" in trying.of("n2")
    judged = json.loads((trying.folder / "all").read_text())
    assert judged.pop("deployment") == "aaaaaaaaaaaa"
    assert judged == {"candidates": [SEEN["candidate"]] * 3, "others": [SEEN["serving"]] * 3}
    assert json.loads((trying.folder / "answers").read_text()) == [{"same": 2}] * 3


@pytest.mark.long
def test_a_trial_that_does_worse_goes_back(trying: Scene) -> None:
    trying.answer("", "judge", "echo 'slipway rollout: it failed 9 of 9 requests' >&2; exit 1")
    failed = trying.play("trial.yml", "-e", "deployment=aaaaaaaaaaaa shadow=true")
    assert failed.returncode != 0
    assert trying.of("controller")[0] == "begin --deployment aaaaaaaaaaaa --shadow"
    assert controller(trying) == ["begin", "judge", "back"]


@pytest.mark.long
def test_a_trial_in_check_mode_shows_what_each_node_would_be_given(trying: Scene) -> None:
    shown = trying.play("trial.yml", "--check", "--diff", "-e", "canary=5%")
    assert shown.returncode == 0, shown.stdout + shown.stderr
    assert controller(trying) == ["begin"]
    assert "+000000000000 and share aaaaaaaaaaaa 5" in shown.stdout
    assert all(trying.of(node) == ["status --json"] for node in NODES)


@pytest.mark.parametrize(("playbook", "words"), [("deploy.yml", "canary=5%"), ("trial.yml", "deployment=a")])
def test_no_playbook_takes_a_trial_for_a_rollout(scene: Scene, playbook: str, words: str) -> None:
    failed = scene.play(playbook, "-e", words)
    assert failed.returncode != 0
    assert "playbooks/trial.yml" in failed.stdout
    assert scene.told == []


def test_without_serving_nodes_there_is_an_error(scene: Scene) -> None:
    inventory = scene.folder / "none.yml"
    inventory.write_text(json.dumps({"tracking": {"hosts": {"t1": {}}}}))
    done = subprocess.run(
        ["ansible-playbook", "-i", inventory, PLAYBOOKS / "deploy.yml"], capture_output=True, text=True, check=False
    )
    assert done.returncode != 0
    assert "no running serving node" in done.stdout
