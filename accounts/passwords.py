"""Passwords: what is accepted, and how it is kept.

NIST SP 800-63B: at least 12 and at most 200 characters of any kind, no rules of composition, no expiry; not
widely known, not made of the service's, the login's or the owner's name. Kept as argon2id with the library's
parameters (RFC 9106, low memory).
"""

from __future__ import annotations

import asyncio
import re
import secrets
import unicodedata
from collections.abc import Iterable
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from zxcvbn import zxcvbn
from zxcvbn.frequency_lists import FREQUENCY_LISTS

from accounts.errors import WeakPasswordError
from vntext.normalise import strip_marks

SHORTEST, LONGEST = 12, 200

_COMMON = frozenset(FREQUENCY_LISTS["passwords"])
"""Passwords of leaks, the list that comes with zxcvbn (its documentation names the corpora)."""

_SERVICE_WORDS = (
    "1022",
    "gialai",
    "tongdai",
    "bantruc",
    "pleiku",
    "quynhon",
    "vietnam",
    "matkhau",
    "password",
)
_LEAST_OF_ONES_OWN = 6
"""Letters that must be left when names, service words and digits are taken away."""

_LEAST_GUESSES = 10**8
_ESTIMATED = 72
_NOT_LETTERS = re.compile(r"[^a-z]+")
_NOT_WORDS = re.compile(r"[^a-z0-9]+")
_AT_ONCE = 2


class Passwords:
    """Checks, hashes and compares passwords.

    Args:
        hasher: argon2id; tests may pass a cheaper one.
    """

    def __init__(self, hasher: PasswordHasher | None = None) -> None:
        self._hasher = hasher or PasswordHasher()
        # Compared with when there is no such user, so that the answer takes as long.
        self._nobody = _hash_of_nobody(
            self._hasher.time_cost, self._hasher.memory_cost, self._hasher.parallelism
        )
        # Each takes 64 MiB and a core: a flood of attempts must not take the machine.
        self._places = asyncio.Semaphore(_AT_ONCE)

    async def hash(self, password: str) -> str:
        """Return the hash to keep."""
        async with self._places:
            return await asyncio.to_thread(self._hasher.hash, _normal(password))

    async def matches(self, password_hash: str | None, password: str) -> bool:
        """Tell whether a password is the kept one; without one it takes as long and is never."""
        async with self._places:
            is_right = await asyncio.to_thread(self._verify, password_hash or self._nobody, password)
        return is_right and password_hash is not None

    def is_outdated(self, password_hash: str) -> bool:
        """Tell whether a hash was made with weaker parameters than today's."""
        return self._hasher.check_needs_rehash(password_hash)

    def _verify(self, password_hash: str, password: str) -> bool:
        try:
            return self._hasher.verify(password_hash, _normal(password)[: LONGEST + 1])
        except (VerificationError, InvalidHashError):
            return False


@cache
def _hash_of_nobody(time_cost: int, memory_cost: int, parallelism: int) -> str:
    """Return a hash that no password has; made once in a process, as it costs what a log-in costs."""
    hasher = PasswordHasher(time_cost=time_cost, memory_cost=memory_cost, parallelism=parallelism)
    return hasher.hash(secrets.token_hex(16))


def check_password(password: str, names: Iterable[str]) -> None:
    """Refuse a password that is too easily found.

    Args:
        password: as typed.
        names: of its owner: login and full name.

    Raises:
        WeakPasswordError: says what is wrong with it.
    """
    normal = _normal(password)
    # Some single letters are many in their normal form.
    if min(len(password), len(normal)) < SHORTEST:
        raise WeakPasswordError("short")
    if len(normal) > LONGEST:
        raise WeakPasswordError("long")
    if normal.casefold() in _COMMON:
        raise WeakPasswordError("common")
    plain = strip_marks(normal).casefold()
    if _made_of_names(plain, names):
        raise WeakPasswordError("personal")
    if zxcvbn(plain[:_ESTIMATED])["guesses"] < _LEAST_GUESSES:
        raise WeakPasswordError("guessable")


def _made_of_names(plain: str, names: Iterable[str]) -> bool:
    words = set(_SERVICE_WORDS)
    for name in names:
        folded = strip_marks(_normal(name)).casefold()
        words.add(_NOT_WORDS.sub("", folded))
        words.update(word for word in _NOT_WORDS.split(folded) if len(word) > 1)
    left = _NOT_WORDS.sub("", plain)
    is_shortened = False
    for word in sorted(filter(None, words), key=len, reverse=True):
        is_shortened = is_shortened or word in left
        left = left.replace(word, " ")
    return is_shortened and len(_NOT_LETTERS.sub("", left)) < _LEAST_OF_ONES_OWN


def _normal(text: str) -> str:
    # The same letters may be typed composed or not, by keyboard.
    return unicodedata.normalize("NFKC", text.encode("utf-8", "replace").decode())
