"""Variables for a playbook's command line, as data: Ansible takes texts there for templates, and obeys what is in them.

A reason holds the words of whoever made a commit, and the name of a model is anybody's.
"""

import json
from collections.abc import Mapping

UNSAFE = "__ansible_unsafe"
"""https://docs.ansible.com/ansible/latest/playbook_guide/playbooks_advanced_syntax.html#unsafe-or-raw-strings"""


def words(variables: Mapping[str, str]) -> str:
    """JSON for `--extra-vars`."""
    return json.dumps({name: {UNSAFE: text} if obeyed(text) else text for name, text in variables.items()})


def obeyed(text: str) -> bool:
    """Whether Ansible would find anything in it: templates begin with a brace, their own options with a hash."""
    return "{" in text or "#" in text
