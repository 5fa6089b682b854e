"""What a rollout needs besides Ansible: one at a time, judged by its own figures, written down, never left half-done.

`playbooks/deploy.yml` holds the order and `slipway-activate` what a node does; this holds the lock, the judgement, the
commit and the history, as the verbs of `python -m ops rollout`, which only the playbooks call.
"""
