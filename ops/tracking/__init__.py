"""What the tracking node runs before and beside its MLflow server: credentials, database role, migrations.

It lives in the control release, not in user data, so that a change of it is delivered like any other code.
"""
