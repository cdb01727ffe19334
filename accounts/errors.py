"""Typed errors of the accounts; `sentence` is what a person reads.

AccountError
├── WrongCredentialsError    login or password is wrong; which one is not said
├── WrongCodeError           the one-time code is wrong, used or too old
├── TooManyAttemptsError     locked for a while
├── WeakPasswordError        the password is too short, too long, widely known or easily guessed
├── InvalidLinkError         the one-time link is unknown, used or too old
├── LoginTakenError          another account has this login
├── InvalidAccountError      login, name, roles or agency do not fit
├── LastAdministratorError   nobody would be left to manage the accounts
├── OwnAccountError          nobody changes their own rights
├── TotpRequiredError        the roles require a one-time code
└── UnknownUserError         there is no such account
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


class WrongCodeError(AccountError):
    """The one-time code is wrong, was used before, or the first step is too long ago."""

    code = "wrong_code"


class TooManyAttemptsError(AccountError):
    """Too many failed attempts; everything is refused for a while, the right password too."""

    code = "too_many_attempts"


class WeakPasswordError(AccountError):
    """The password does not meet the rules (NIST SP 800-63B).

    Args:
        reason: `short`, `long`, `common`, `personal` or `guessable`.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.code = f"weak_password_{reason}"


class InvalidLinkError(AccountError):
    """The one-time link is unknown, used or too old."""

    code = "invalid_link"


class LoginTakenError(AccountError):
    """Another account has this login."""

    code = "login_taken"


class InvalidAccountError(AccountError):
    """What was given for an account does not fit.

    Args:
        reason: `login`, `name`, `roles` or `agency`.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.code = f"invalid_{reason}"


class LastAdministratorError(AccountError):
    """There would be no administrator left who can log in."""

    code = "last_administrator"


class OwnAccountError(AccountError):
    """Nobody deactivates, resets or re-roles the account they work with."""

    code = "own_account"


class TotpRequiredError(AccountError):
    """The one-time code cannot be switched off: the roles require it."""

    code = "totp_required"


class UnknownUserError(AccountError):
    """There is no such account."""

    code = "unknown_user"
