"""What can go wrong at every played provider, on demand."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, get_args, get_type_hints


@dataclass(slots=True)
class Faults:
    """What goes wrong.

    Attributes:
        down: the API answers an HTTP error with a page of HTML.
        latency_ms: every call takes this much longer.
        error_code: every send is refused with it.
        error_times: only so many; None: until it is taken back.
        drop_connection: "before": closed without an answer, nothing taken; "after": taken, but not answered.
        repeat_share, reorder_share, bad_signature_share: of the webhooks.
        lose_echo_share: of the sends, whose echo never comes.
        expire_token: access tokens given out so far do not work any more.
    """

    down: bool = False
    latency_ms: float = 0
    error_code: int | None = None
    error_times: int | None = None
    drop_connection: bool | str = False
    repeat_share: float = 0
    reorder_share: float = 0
    bad_signature_share: float = 0
    lose_echo_share: float = 0
    expire_token: bool = False

    def change(self, given: dict[str, Any]) -> None:
        """Let things go wrong, or not any more.

        Raises:
            ValueError: there is no such fault, or not with such a value; nothing is changed then.
        """
        hints = get_type_hints(type(self))
        for name, value in given.items():
            hint = hints.get(name)
            kinds = get_args(hint) or (hint,)
            if hint is None or not isinstance(value, (*kinds, int) if float in kinds else kinds):
                raise ValueError(f"no fault {name!r} with {value!r}")
        for name, value in given.items():
            setattr(self, name, value)
