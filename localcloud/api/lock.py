"""The one lock around moto: its backends are plain dictionaries that no two threads may touch at once.

Requests, `World` and the autoscaling controller all take it. It is reentrant, and nobody holds it while waiting.
"""

from threading import RLock

MOTO = RLock()
