"""The model server: what a deployment lists, answered over HTTP from a Unix socket.

`core/` holds inference and knows no HTTP; `http/` holds Flask and knows no MLflow. gunicorn starts both through
`python:app.gunicorn_config`. Nothing here opens a connection: the unit that runs it has no network.
"""
