"""Labelling at a terminal, one group of texts at a time; needs nothing but lines in and out."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from actions.learning.clusters import MOST
from actions.learning.labelling import Labeller, Result
from actions.learning.proposals import TYPICAL, Entry, Group, Intent, Proposals, Proposer, name_of
from actions.learning.samples import LearningSamples
from actions.learning.training_files import TrainingFiles, without_placeholders
from vntext.catalogue import lookup, say

Ask = Callable[[str], str]
Show = Callable[[str], None]

_NAME_SEPARATOR = ";"
# What stands under what; the catalogue's sentences have no blanks around them.
_INDENTS = {
    **dict.fromkeys(("intent", "procedure", "procedure_chosen", "names", "result", "split", "undone"), "  "),
    **dict.fromkeys(("no_procedure", "cannot_split", "nothing_to_undo", "unknown"), "  "),
    **dict.fromkeys(("text", "more", "intent_line"), "    "),
    "nearest": "     ",
}


class Closed(Exception):  # noqa: N818 - the person is done, nothing went wrong
    """The person has left."""


class Session:
    """One sitting.

    Args:
        samples: what waits.
        files: the training data, for the list of intents.
        labeller: carries out.
        proposer: groups and proposes.
        ask: shows a prompt and returns the line typed; EOFError ends the sitting.
        show: shows a line.
    """

    def __init__(
        self,
        samples: LearningSamples,
        files: TrainingFiles,
        labeller: Labeller,
        proposer: Proposer,
        *,
        ask: Ask,
        show: Show,
    ) -> None:
        self._samples = samples
        self._files = files
        self._labeller = labeller
        self._proposer = proposer
        self._ask_line = ask
        self._show = show
        self._left: list[Group] = []

    async def run(self) -> None:
        """Go through the groups until none is left or the person leaves."""
        self._left = self._proposer.groups(await self._samples.open(MOST))
        if not self._left:
            self._say("nothing")
            return
        self._say("start", groups=len(self._left), texts=sum(len(group.samples) for group in self._left))
        self._show(say("learning.help"))
        try:
            while self._left:
                await self._group(self._left.pop(0))
        except (Closed, EOFError):
            self._say("left", groups=len(self._left))
            return
        self._say("done")

    # --- one group ------------------------------------------------------------------------------------------

    async def _group(self, group: Group) -> None:
        proposed = self._proposer.propose(group)
        options = _options(proposed)
        self._describe(group, options)
        while True:
            line = await self._ask("prompt")
            command, _, rest = line.strip().partition(" ")
            rest = rest.strip()
            match command.lower():
                case "":
                    done = bool(options) and await self._accept(group, options[0])
                case number if number.isdecimal() and 1 <= int(number) <= len(options):
                    done = await self._accept(group, options[int(number) - 1])
                case "y":
                    done = await self._other_intent(group, rest)
                case "t":
                    done = await self._other_procedure(group, rest)
                case "c":
                    done = self._split(group)
                case "x":
                    done = self._report(group, await self._labeller.drop(group.samples))
                case "b":
                    done = True
                case "l":
                    done = await self._undo(group)
                case "?":
                    self._show(say("learning.help"))
                    self._list_intents()
                    done = False
                case "q":
                    self._left.insert(0, group)
                    raise Closed
                case _:
                    self._say("unknown")
                    done = False
            if done:
                return

    def _describe(self, group: Group, options: list[Intent | Entry]) -> None:
        self._show("")
        self._say("group", texts=len(group.samples), said=group.said, left=len(self._left))
        for sample in group.samples[:TYPICAL]:
            self._say("text", text=sample.text, count=sample.count, reason=_reason(sample.reason))
        if len(group.samples) > TYPICAL:
            self._say("more", number=len(group.samples) - TYPICAL)
        for number, option in enumerate(options, 1):
            if isinstance(option, Intent):
                self._say("intent", number=number, meaning=_meaning(option.name), name=option.name)
                if option.phrase:
                    self._say("nearest", phrase=option.phrase)
            else:
                key = "procedure_chosen" if option.chosen else "procedure"
                self._say(key, number=number, code=option.code, title=option.title, times=option.chosen)

    async def _accept(self, group: Group, option: Intent | Entry) -> bool:
        if isinstance(option, Intent):
            return self._report(group, await self._labeller.accept_intent(group.samples, option.name))
        typical = [without_placeholders(sample.text) for sample in group.samples[:TYPICAL]]
        proposed = list(dict.fromkeys(map(name_of, typical)))
        self._say("names", names=f"{_NAME_SEPARATOR} ".join(proposed))
        line = (await self._ask("names_prompt")).strip()
        if line.lower() == "b":
            return False
        names = [name.strip() for name in line.split(_NAME_SEPARATOR) if name.strip()] or proposed
        result = await self._labeller.accept_procedure(group.samples, option.code, names)
        return self._report(group, result)

    async def _other_intent(self, group: Group, wanted: str) -> bool:
        found = [name for name in self._files.intents if name == wanted]
        found = found or [name for name in self._files.intents if wanted and wanted in name]
        if len(found) != 1:
            self._list_intents(found)
            return False
        return self._report(group, await self._labeller.accept_intent(group.samples, found[0]))

    async def _other_procedure(self, group: Group, wanted: str) -> bool:
        entries = self._proposer.search(wanted or group.samples[0].text)
        if not entries:
            self._say("no_procedure")
            return False
        for number, entry in enumerate(entries, 1):
            self._say("procedure", number=number, code=entry.code, title=entry.title)
        chosen = (await self._ask("which_procedure")).strip()
        if not chosen.isdecimal() or not 1 <= int(chosen) <= len(entries):
            return False
        return await self._accept(group, entries[int(chosen) - 1])

    def _split(self, group: Group) -> bool:
        if len(group.samples) < 2:
            self._say("cannot_split")
            return False
        parts = self._proposer.split(group)
        self._left[:0] = parts
        self._say("split", parts=len(parts))
        return True

    async def _undo(self, group: Group) -> bool:
        undone = await self._labeller.undo()
        if not undone:
            self._say("nothing_to_undo")
            return False
        self._say("undone", texts=len(undone))
        # Its texts come again at once, then the group that was shown.
        ids = {sample.id for sample in undone}
        waiting = [sample for sample in await self._samples.open(MOST) if sample.id in ids]
        self._left[:0] = [*self._proposer.groups(waiting), group]
        return True

    def _report(self, group: Group, result: Result) -> bool:
        """Say what became of a decision; texts that were refused come again as a group of their own."""
        parts = [f"{lookup('learning.states')[state]}: {count}" for state, count in result.written.items()]
        if parts:
            self._say("result", parts=", ".join(parts))
        for refusal in result.refused:
            self._show(say(f"learning.refused.{refusal.reason}", text=refusal.text, detail=refusal.detail))
        if not result.refused:
            return True
        if not result.written:
            return False  # nothing has changed: the person decides once more
        refused = {refusal.text for refusal in result.refused}
        self._left.insert(0, Group(tuple(sample for sample in group.samples if sample.text in refused)))
        return True

    # --- lines ----------------------------------------------------------------------------------------------

    def _list_intents(self, names: list[str] | None = None) -> None:
        for name in names or self._files.intents:
            self._say("intent_line", name=name, meaning=_meaning(name))

    def _say(self, key: str, **variables: object) -> None:
        self._show(_INDENTS.get(key, "") + say(f"learning.{key}", **variables))

    async def _ask(self, key: str) -> str:
        # In a thread: a database driver with something to do must not wait for a person.
        return await asyncio.to_thread(self._ask_line, say(f"learning.{key}") + " ")


def _options(proposed: Proposals) -> list[Intent | Entry]:
    intents: list[Intent | Entry] = list(proposed.intents)
    entries: list[Intent | Entry] = list(proposed.entries)
    return entries + intents if proposed.first_is_entry else intents + entries


def _meaning(intent: str) -> str:
    return str(lookup("learning.intents").get(intent, intent))


def _reason(reason: str) -> str:
    return str(lookup("learning.reasons")[reason])
