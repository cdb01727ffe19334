"""`python health.py <url>`: exit code 0 when the address answers 200. Standard library only."""

from __future__ import annotations

import sys
import urllib.error
import urllib.request

_PATIENCE = 4.0


def main() -> int:
    """Ask the address on the command line."""
    try:
        with urllib.request.urlopen(sys.argv[1], timeout=_PATIENCE) as response:  # noqa: S310 - our own address
            return 0 if response.status == 200 else 1
    except (urllib.error.URLError, OSError):
        return 1


if __name__ == "__main__":
    raise SystemExit(main())
