"""Names of claims: who holds a lease, so that nobody waits for the leases of a dead process."""

from __future__ import annotations

import itertools
import os
import socket
import uuid
from collections.abc import Iterable

_runs: set[str] = set()
"""Runs inside this process; there is more than one only in tests."""


class ClaimNames:
    """Gives every claim a name of its own: host, process, run and number.

    A lease runs out by itself; on the same host a dead process is noticed at once. Correctness rests on
    neither: whoever finishes checks that the claim is still the one it took.
    """

    def __init__(self) -> None:
        self._host = socket.gethostname().replace(":", "_")[:60]
        self._run = uuid.uuid4().hex[:8]
        self._numbers = itertools.count(1)
        _runs.add(self._run)

    def new(self) -> str:
        """Return a claim that nobody else ever has."""
        return f"{self._host}:{os.getpid()}:{self._run}:{next(self._numbers)}"

    def retire(self) -> None:
        """This run is over: what it still holds nobody will finish."""
        _runs.discard(self._run)

    def dead(self, claims: Iterable[str]) -> list[str]:
        """Return those claims whose process no longer runs on this host."""
        return [claim for claim in claims if self._is_dead(claim)]

    def _is_dead(self, claim: str) -> bool:
        host, pid, run, _number = claim.rsplit(":", 3)
        if host != self._host:
            return False
        if int(pid) == os.getpid():
            return run not in _runs  # the process number was given out again, to us
        try:
            os.kill(int(pid), 0)
        except ProcessLookupError:
            return True
        except PermissionError:
            return False
        return False
