"""The sentence a citizen reads when a message reports an emergency: the number to call before any other word.

Everything it says is loaded at import: it must be there when nothing else works.
"""

from __future__ import annotations

from vntext.catalogue import lookup, say
from vntext.emergency import KINDS, Emergency

lookup("emergency.reply")


def emergency_reply(emergency: Emergency) -> str:
    """Return the reply to an emergency in three lines: number, what to do meanwhile, what 1022 cannot do.

    Raises:
        ValueError: the message was no emergency (`kind` is None).
    """
    if emergency.kind is None:
        raise ValueError("no emergency, no reply")
    numbers = [emergency.kind, *(kind for kind in KINDS if kind in emergency.also)]
    joined = str(lookup("emergency.numbers.and")).join(say(f"emergency.numbers.{kind}") for kind in numbers)
    meanwhile = (
        say(f"emergency.meanwhile.{emergency.group}")
        if emergency.group
        else say(f"emergency.general.{emergency.kind}")
    )
    return say(f"emergency.reply.{emergency.kind}", numbers=joined, meanwhile=meanwhile)
