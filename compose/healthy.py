"""A container's health check: `python3 -m compose.healthy URL`. Exit status 1 and the reason when all is not well."""

import sys
import urllib.error
import urllib.request

SECONDS = 4


def main(url: str) -> None:
    try:
        with urllib.request.urlopen(url, timeout=SECONDS):  # noqa: S310  (compose.yaml's)
            return
    except (OSError, urllib.error.URLError) as error:
        sys.exit(f"{url}: {error}")


if __name__ == "__main__":
    main(sys.argv[1])
