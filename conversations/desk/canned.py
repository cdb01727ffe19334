"""Answers written beforehand, shared by all or of one operator, with variables filled in when used."""

from __future__ import annotations

import string
from collections.abc import Mapping

from sqlalchemy.exc import IntegrityError

from conversations.desk import canned_repository as repository
from conversations.desk.errors import CannedNotFoundError, InvalidCannedError
from conversations.desk.schemas import CannedAnswer
from conversations.desk.words import words_of
from conversations.schemas import MAX_TEXT, clean_text
from database.base import new_id
from database.clock import Clock
from database.engine import Database

VARIABLES = ("ten_nguoi_dan", "ma_phan_anh", "ten_truc_vien", "so_dien_thoai", "kenh", "ngay")
"""What a text may name in braces: the citizen's name, the code of the latest report, the operator's name, the
citizen's telephone number, the channel, today's date."""

_LONGEST_TITLE = 200
_FORMATTER = string.Formatter()


class CannedAnswers:
    """Keeps canned answers.

    Args:
        database: where they are kept.
        clock: the time of changes.
    """

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def add(self, operator_id: str, title: str, text: str, *, shared: bool) -> CannedAnswer:
        """Keep a new answer.

        Raises:
            InvalidCannedError: nothing was kept; `problem` says why, `variable` names an unknown one.
        """
        values = self._values(operator_id, title, text)
        answer_id = new_id()
        try:
            async with self._database.write() as session:
                owner = "" if shared else operator_id
                await repository.add(session, {"id": answer_id, "owner_id": owner, **values})
        except IntegrityError as error:
            raise InvalidCannedError("title_taken") from error
        return await self._one(answer_id, operator_id)

    async def change(self, answer_id: str, operator_id: str, title: str, text: str) -> CannedAnswer:
        """Rewrite an answer, one's own or a shared one (the caller checks who may change those).

        Raises:
            CannedNotFoundError: there is none, or it is somebody else's.
            InvalidCannedError: nothing was changed.
        """
        values = self._values(operator_id, title, text)
        try:
            async with self._database.write() as session:
                if not await repository.change(session, answer_id, operator_id, values):
                    raise CannedNotFoundError
        except IntegrityError as error:
            raise InvalidCannedError("title_taken") from error
        return await self._one(answer_id, operator_id)

    async def remove(self, answer_id: str, operator_id: str) -> None:
        """Delete an answer, one's own or a shared one (the caller checks who may delete those).

        Raises:
            CannedNotFoundError: there is none, or it is somebody else's.
        """
        async with self._database.write() as session:
            if not await repository.remove(session, answer_id, operator_id):
                raise CannedNotFoundError

    async def find(self, operator_id: str, text: str = "", *, limit: int = 20) -> list[CannedAnswer]:
        """Return what an operator may use and what has all words of `text`, marks or not; by title."""
        async with self._database.read() as session:
            return await repository.find(session, operator_id, words_of(text), limit)

    async def _one(self, answer_id: str, operator_id: str) -> CannedAnswer:
        async with self._database.read() as session:
            found = await repository.get(session, answer_id, operator_id)
        if found is None:
            raise CannedNotFoundError
        return found

    def _values(self, operator_id: str, title: str, text: str) -> dict[str, object]:
        try:
            name, body = " ".join(clean_text(title).split()), clean_text(text)
        except ValueError as error:
            raise InvalidCannedError("empty") from error
        if not name or not body:
            raise InvalidCannedError("empty")
        if len(name) > _LONGEST_TITLE or len(body) > MAX_TEXT:
            raise InvalidCannedError("too_long")
        for variable in variables_of(body):
            if variable not in VARIABLES:
                raise InvalidCannedError("unknown_variable", variable)
        return {
            "title": name,
            "text": body,
            "plain": " ".join(words_of(f"{name} {body}")),
            "changed_by": operator_id,
            "changed_at": self._clock.now(),
        }


def variables_of(text: str) -> list[str]:
    """Return the variables a text names, in their order.

    Raises:
        InvalidCannedError: a brace has no partner.
    """
    try:
        parts = list(_FORMATTER.parse(text))
    except ValueError as error:
        raise InvalidCannedError("broken") from error
    found = []
    for _, name, spec, conversion in parts:
        if name is None:
            continue
        if spec or conversion:
            raise InvalidCannedError("broken")
        found.append(name)
    return list(dict.fromkeys(found))


def filled(text: str, values: Mapping[str, str]) -> tuple[str, list[str]]:
    """Return a text with its variables filled in, and the names of those there is no value for.

    The latter stay in their braces, so that the operator sees them before sending.
    """
    missing = [name for name in variables_of(text) if not values.get(name)]
    known = {name: values.get(name) or f"{{{name}}}" for name in variables_of(text)}
    return text.format(**known), missing
