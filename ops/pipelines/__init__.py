"""What the pipeline node runs beside Airflow: its logins and files, its announcement, and what listens for new rows.

It comes with the training release, so that a change of it is delivered like any other code.
"""
