"""Why a file is not taken: one error, its code says which sentence the sender reads."""

from __future__ import annotations

from typing import Literal

from conversations.errors import ConversationError

Reason = Literal["file_empty", "file_too_large", "file_type", "file_broken", "picture_too_large", "file_gone"]


class FileRefusedError(ConversationError):
    """The file is not kept; `code` is the reason."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason)
        self.code = reason
