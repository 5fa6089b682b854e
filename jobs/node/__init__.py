"""What the units of jobs run on a node before and beside the servers: keys, logins, addresses.

`prepare`, `announce` and `measure` are of the broker's node, `credentials` of every node that takes part. No secret is
in user data or on a command line: the broker's node makes them and keeps them in Secrets Manager, others read them.
"""
