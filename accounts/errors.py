"""Typed errors of the accounts; `sentence` is what a person reads.

AccountError
├── WrongCredentialsError   login or password is wrong; which one is not said
├── TooManyAttemptsError    locked for a while
├── WeakPasswordError       the password is too short, too long or widely known
├── InvalidLinkError        the one-time link is unknown, used or too old
└── LoginTakenError         another account has this login
"""

from __future__ import annotations

from vntext.catalogue import say


class AccountError(Exception):
    """Base of the errors a person can be told about."""

    code = "account_error"

    @property
    def sentence(self) -> str:
        """The sentence for the person who asked."""
        return say(f"accounts.errors.{self.code}")


class WrongCredentialsError(AccountError):
    """Login or password is wrong, or the account is not active."""

    code = "wrong_credentials"


class TooManyAttemptsError(AccountError):
    """Too many failed attempts; everything is refused for a while, the right password too."""

    code = "too_many_attempts"


class WeakPasswordError(AccountError):
    """The password does not meet the rules (NIST SP 800-63B: length, not widely known)."""

    code = "weak_password"


class InvalidLinkError(AccountError):
    """The one-time link is unknown, used or too old."""

    code = "invalid_link"


class LoginTakenError(AccountError):
    """Another account has this login."""

    code = "login_taken"
