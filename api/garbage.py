"""How often a serving process looks for garbage.

Python looks at young objects after every 700 that are new, which a single message makes several times over,
and now and then at everything the process holds, which for that long stops all it does. What is loaded at the
start stays for good: it is set aside, and the rest is looked at far less often.
"""

from __future__ import annotations

import gc

_YOUNG, _MIDDLE, _OLD = 25_000, 20, 50


def look_seldom() -> None:
    """Set aside what is there now and look for garbage seldom; once, before a process begins to serve."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_YOUNG, _MIDDLE, _OLD)
