"""Asynchronous predictions: a job is a row in PostgreSQL first, then a message, then an answer of the model server's.

PostgreSQL is the truth and the broker a hint, so that either may be lost for a while. Nothing of `app` or of a model is
imported here: a worker asks the model server of its own node, which is the one that answers synchronous predictions.
"""
