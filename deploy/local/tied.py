"""Starts a program that ends when its parent does, also when that is killed and can end nothing itself.

    python -I -S deploy/local/tied.py <signal> <parent> <nice> <user> <program> <arguments>…

The program gets the signal when the parent is gone. The arguments: number of the signal, process id of the
parent (0: whoever has started this), niceness that is added, user to become (`-`: the same). Linux alone can
do that; elsewhere the program is started all the same. Standard library only: it costs milliseconds.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence

_PR_SET_PDEATHSIG = 1
"""prctl(2): the signal this process gets when its parent ends; it outlives execve."""


def tied(command: Sequence[str], number: int, *, nice: int = 0, user: str | None = None) -> tuple[str, ...]:
    """Return the command line that starts `command` so that it ends with this process.

    It counts from the thread that starts it: let that be one which lives as long as the process.

    Args:
        command: program and arguments.
        number: the signal it gets.
        nice: how much it leaves the processor to the others, 0 to 19.
        user: whom it runs as; the same where not given.
    """
    launcher = (sys.executable, "-I", "-S", __file__)
    return (*launcher, str(int(number)), str(os.getpid()), str(nice), user or "-", *command)


def main() -> None:
    """Become the program on the command line."""
    number, parent, nice, user, *command = sys.argv[1:]
    started_by = int(parent) or os.getppid()
    if nice != "0":
        os.nice(int(nice))
    # Read before the change of user, who may be kept from our folders, and set after it, which would undo it.
    end_with_parent = _end_with_parent()
    if user != "-":
        _become(user)
    end_with_parent(int(number))
    if os.getppid() != started_by:
        sys.exit(f"{command[0]}: the one who started it is gone already")
    try:
        os.execvp(command[0], command)  # noqa: S606 - a command line as it was given
    except OSError as error:
        sys.exit(f"{command[0]}: {error.strerror}")


def _become(user: str) -> None:
    import pwd

    account = pwd.getpwnam(user)
    os.setgroups([])
    os.setgid(account.pw_gid)
    os.setuid(account.pw_uid)


def _end_with_parent() -> Callable[[int], None]:
    if sys.platform != "linux":
        return lambda _number: None
    import ctypes

    prctl = ctypes.CDLL(None, use_errno=True).prctl

    def ask(number: int) -> None:
        if prctl(_PR_SET_PDEATHSIG, number, 0, 0, 0) != 0:
            sys.exit(f"prctl: {os.strerror(ctypes.get_errno())}")

    return ask


if __name__ == "__main__":
    main()
