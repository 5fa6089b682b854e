"""Where moto differs from AWS in what this stack relies on, closed: one module per gap.

Each module says what is missing and how to tell that moto has fixed it, and its `install()` patches moto in place.
`install()` here does them all, once per process, before the first request.
"""

from localcloud.gaps import settings

_GAPS = (settings,)
_installed = False


def install() -> None:
    global _installed  # noqa: PLW0603  moto is patched per process, so the fact belongs to the process
    if _installed:
        return
    for gap in _GAPS:
        gap.install()
    _installed = True
