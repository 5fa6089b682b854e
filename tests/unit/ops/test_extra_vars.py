"""What a playbook is given on its command line, by the real Ansible."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from ops import extra_vars
from ops.verbs import rollouts
from ops.watcher import children

# As the role of rollouts passes a reason on: by a default of its own, in a list of words.
PLAY = """
- hosts: localhost
  gather_facts: false
  connection: local
  vars:
    ansible_python_interpreter: "{{ ansible_playbook_python }}"
    rollout_reason: "{{ reason | default(none) }}"
    given: "{{ {'deployment': deployment, 'reason': rollout_reason} }}"
    given_words: "{{ given | dict2items | map(attribute='value') | list }}"
  tasks:
    - ansible.builtin.command:
        argv: "{{ ['printf', '%s/'] + given_words }}"
      register: said
    - ansible.builtin.copy:
        content: "{{ said.stdout }}"
        dest: "{{ place }}"
        mode: "0600"
"""


@pytest.mark.parametrize(
    "reason",
    [
        "push of cccccccccc: Cheaper on Mondays (Ada)",
        "push of cccccccccc: {{ lookup('pipe', 'echo obeyed') }} {% raw %} {# gone #} (Ada)",
        "#jinja2: variable_start_string: '[%', variable_end_string: '%]'\n[% 1 + 1 %]",
        'it\'s "quoted", \\ and #3',
    ],
)
def test_the_words_of_a_commit_are_no_template(tmp_path: Path, reason: str) -> None:
    play, place, config = (tmp_path / name for name in ("play.yml", "said", "ansible.cfg"))
    config.touch()
    play.write_text(PLAY)
    given = extra_vars.words({"deployment": "0123456789ab", "reason": reason, "place": str(place)})
    argv = [sys.executable, "-m", "ansible.cli.playbook", str(play), "-i", "localhost,", "--extra-vars", given]
    environment = {**os.environ, "ANSIBLE_LOCAL_TEMP": str(tmp_path), "ANSIBLE_CONFIG": str(config)}
    done = subprocess.run(argv, capture_output=True, text=True, check=False, cwd=tmp_path, env=environment)
    assert done.returncode == 0, done.stdout + done.stderr
    assert place.read_text() == f"0123456789ab/{reason}/"


def test_whoever_rolls_gives_them_so() -> None:
    reason = "{{ 1 + 1 }}"
    for argv in (children.command("0123456789ab", reason), rollouts.command("deploy.yml", {"reason": reason})):
        assert '"reason": {"__ansible_unsafe": "{{ 1 + 1 }}"}' in argv[-1]
