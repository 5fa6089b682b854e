"""gunicorn's worker as an event loop: HTTP over asyncio, plain predictions answered here, all the rest by Flask.

The loop only reads, writes and sorts. What may take long runs on the scoring thread (`app/core/scoring.py`) or on
Flask's threads (`wsgi.py`), so that health checks are answered whatever a model does.
"""
