"""Orders: a `[release]` that was pushed to the pipeline node, carried out by the tracking node.

The first has no key for the fleet, the second has one and may build; nothing connects them but the bucket. `giver` puts
an order there and waits, `taker` is the watcher's and carries it out, by `maker` and the ordinary playbook. What either
reads there the other node wrote, so it is held against every bound before it is used.
"""
