"""A push that goes live: what a bare repository does with a commit, from `slipway.toml` to the end of the rollout.

`receive` is git's hooks, `run` the process that decides, `asked` what the pushed tree wants. git's own proc-receive
hook leaves the branch to us, so that it moves exactly when the fleet did, whether or not the pusher is still there.
"""
