"""Writes what people decided into the training data: phrases, evaluation rows and everyday names.

    nlu_data/learned.yml                    phrases by intent, Rasa's format
    nlu_data/evaluation/learned.jsonl       every fifth text, so that there is something to measure with
    kb_index/starter/names/learned.yml      what people call procedures

All three are sorted, so that a change shows as the lines it is. Nothing personal goes in: what is written was
anonymised when it was kept, and is looked at once more here.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Literal

import yaml

from actions.learning.anonymise import ADDRESS, NAME, find_personal
from bot.augment import plain, read
from vntext.canonical import canonical
from vntext.masking import CODE, DATE, LINK, MAIL, NUMBER, PLATE

ROOT = Path(__file__).resolve().parents[2]
EVALUATE_EVERY = 5

Written = Literal["phrase", "evaluation", "name", "known"]

_PLACEHOLDERS = re.compile("|".join(map(re.escape, (NAME, ADDRESS, NUMBER, CODE, DATE, MAIL, LINK, PLATE))))
_MARKUP = str.maketrans(dict.fromkeys("[]{}|`", " "))
_ROUTES = {
    "ask_information": ("answer", "handoff"),
    "complaint_letter": ("redirect_complaint",),
    "ask_human": ("handoff",),
    "ticket_status": ("ticket_status",),
    "dossier_status": ("dossier_status",),
    "out_of_scope": ("out_of_scope",),
    "insult": ("out_of_scope",),
    "unclear": ("unclear",),
    "emergency_113": ("redirect_113",),
    "emergency_114": ("redirect_114",),
    "emergency_115": ("redirect_115",),
    **dict.fromkeys(("report_problem", "report_conduct", "make_suggestion", "give_praise"), ("ticket",)),
    **dict.fromkeys(
        ("greet", "thank", "goodbye", "ask_bot", "ask_capabilities", "small_talk"), ("smalltalk",)
    ),
}
# Of a question's aspect and of what only makes sense within a dialogue, any of these may be right.
_OTHER_ROUTES = ("answer", "clarify", "handoff")

_HEADERS = {
    "phrases": "# Learned from use: labelled by people with `make label`, which keeps this file sorted.\n",
    "names": "# Người ta gọi thủ tục bằng những tên nào: do người gán nhãn ghi bằng `make label`.\n",
}


class RefusedError(ValueError):
    """A text cannot be written: `reason` is "contradiction", "personal" or "empty", `detail` what with."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


class TrainingFiles:
    """The training data below `root`, read once and kept in step with what is written.

    Args:
        root: the project's folder.
    """

    def __init__(self, root: Path = ROOT) -> None:
        self._phrases_file = root / "nlu_data" / "learned.yml"
        self._rows_file = root / "nlu_data" / "evaluation" / "learned.jsonl"
        self._names_file = root / "kb_index" / "starter" / "names" / "learned.yml"
        self.phrases: dict[str, list[str]] = {
            intent: [plain(phrase) for phrase in phrases]
            for intent, phrases in read(root / "nlu_data").written.items()
        }
        self._intent_of = {canonical(p): intent for intent, ps in self.phrases.items() for p in ps}
        self._evaluated = _evaluated(root / "nlu_data" / "evaluation")
        self._code_of = _codes(self._names_file.parent)

    @property
    def intents(self) -> list[str]:
        """The intents there are phrases of, sorted."""
        return sorted(self.phrases)

    def add_phrase(self, text: str, intent: str) -> Written:
        """Write a text as a phrase of an intent, every fifth as a row to measure with.

        Raises:
            RefusedError: it contradicts a phrase or a row of another intent, or holds personal data.
        """
        phrase, key = _clean(text)
        for known in (self._intent_of.get(key), self._evaluated.get(key)):
            if known is not None and known != intent:
                raise RefusedError("contradiction", known)
        if key in self._intent_of or key in self._evaluated:
            return "known"
        if self._is_to_measure():
            row = {"text": phrase, "style": "learned", "routes": list(_routes(intent)), "intent": intent}
            self._add_row(key, row, intent)
            return "evaluation"
        written = _read_phrases(self._phrases_file)
        written[intent].add(phrase)
        _write_phrases(self._phrases_file, written)
        self._intent_of[key] = intent
        self.phrases.setdefault(intent, []).append(phrase)
        return "phrase"

    def add_question(self, text: str, code: str) -> Literal["evaluation", "known"] | None:
        """Write every fifth question on a procedure as a row to measure with; None: its name may be learned.

        Raises:
            RefusedError: it is a row about another procedure, or holds personal data.
        """
        question, key = _clean(text)
        known = self._evaluated.get(key)
        if known is not None:
            if known not in (code, ""):
                raise RefusedError("contradiction", known)
            return "known"
        if not self._is_to_measure():
            return None
        row = {"text": question, "style": "learned", "routes": ["answer", "clarify"], "procedures": [code]}
        self._add_row(key, row, code)
        return "evaluation"

    def add_names(self, code: str, names: Iterable[str]) -> tuple[str, ...]:
        """Write what people call a procedure; return the names that are new.

        Raises:
            RefusedError: a name is another procedure's, or holds personal data; nothing was written.
        """
        new: dict[str, str] = {}
        for name in names:
            cleaned, key = _clean(name)
            known = self._code_of.get(key)
            if known is not None and known != code:
                raise RefusedError("contradiction", known)
            if known is None:
                new.setdefault(key, cleaned)
        if new:
            written = _read_names(self._names_file)
            entry = written.setdefault(code, {"code": code, "names": [], "not": []})
            entry["names"] += new.values()
            _write_names(self._names_file, written)
            self._code_of |= dict.fromkeys(new, code)
        return tuple(new.values())

    def remove(self, text: str, state: str, label: str, names: Iterable[str] = ()) -> None:
        """Take out again what was written of a text; `state` and `label` are those of the decision."""
        key = _clean(text)[1]
        if state == "phrase":
            written = _read_phrases(self._phrases_file)
            written[label] = {phrase for phrase in written[label] if canonical(phrase) != key}
            _write_phrases(self._phrases_file, written)
            self._intent_of.pop(key, None)
            self.phrases[label] = [p for p in self.phrases.get(label, []) if canonical(p) != key]
        elif state == "evaluation":
            rows = [row for row in _read_rows(self._rows_file) if canonical(row["text"]) != key]
            _write_rows(self._rows_file, rows)
            self._evaluated.pop(key, None)
        elif state == "name":
            self._remove_names(label, {canonical(name) for name in names})

    def _remove_names(self, code: str, keys: set[str]) -> None:
        written = _read_names(self._names_file)
        if code not in written:
            return
        left = [name for name in written[code]["names"] if canonical(name) not in keys]
        written[code]["names"] = left
        if not left and not written[code]["not"]:
            del written[code]
        _write_names(self._names_file, written)
        for key in keys:
            self._code_of.pop(key, None)

    def _is_to_measure(self) -> bool:
        accepted = sum(map(len, _read_phrases(self._phrases_file).values()))
        accepted += len(_read_rows(self._rows_file))
        accepted += sum(len(entry["names"]) for entry in _read_names(self._names_file).values())
        return accepted % EVALUATE_EVERY == EVALUATE_EVERY - 1

    def _add_row(self, key: str, row: dict[str, Any], label: str) -> None:
        named = {"id": f"L{hashlib.sha256(key.encode()).hexdigest()[:10]}", **row}
        _write_rows(self._rows_file, [*_read_rows(self._rows_file), named])
        self._evaluated[key] = label


def without_placeholders(text: str) -> str:
    """Return an anonymised text without the labels that stand for what was taken out."""
    return " ".join(_PLACEHOLDERS.sub(" ", text).split())


def _clean(text: str) -> tuple[str, str]:
    """Return a text as it is written, without placeholders and markup, and its key.

    Raises:
        RefusedError: nothing is left, or it holds personal data.
    """
    found = find_personal(text)
    if found:
        raise RefusedError("personal", ", ".join(found))
    cleaned = " ".join(without_placeholders(text).translate(_MARKUP).split())
    cleaned = re.sub(r"\s+(?=[,.;:?!])", "", cleaned)
    cleaned = re.sub(r"([,;:])(?:\s*[,;:.])+", r"\1", cleaned).strip(" ,;:-/#>*&%@\"'")
    key = canonical(cleaned)
    if not any(letter.isalpha() for letter in key):
        raise RefusedError("empty", text)
    if left := find_personal(cleaned):
        raise RefusedError("personal", ", ".join(left))
    return cleaned, key


def _routes(intent: str) -> tuple[str, ...]:
    return _ROUTES.get(intent, _OTHER_ROUTES)


def _evaluated(folder: Path) -> dict[str, str]:
    """Return what the evaluation rows are labelled with, by text: an intent, a code, or "" for others."""
    found = {}
    for file in sorted(folder.glob("*.jsonl")):
        for row in _read_rows(file):
            if "text" in row:
                aspect = f"ask_{row['aspect']}" if row.get("aspect") else None
                label = row.get("intent") or aspect or next(iter(row.get("procedures") or ()), "")
                found[canonical(row["text"])] = label if isinstance(label, str) else ""
    return found


def _codes(folder: Path) -> dict[str, str]:
    found: dict[str, str] = {}
    for file in sorted(folder.glob("*.yml")):
        for code, entry in _read_names(file).items():
            found |= {canonical(name): code for name in entry["names"]}
    return found


def _read_phrases(file: Path) -> dict[str, set[str]]:
    found: dict[str, set[str]] = defaultdict(set)
    if file.is_file():
        content = yaml.safe_load(file.read_text(encoding="utf-8")) or {}
        for item in content.get("nlu") or []:
            lines = (line.strip() for line in item["examples"].splitlines())
            found[item["intent"]] |= {line[2:].strip() for line in lines if line}
    return found


def _write_phrases(file: Path, phrases: dict[str, set[str]]) -> None:
    kept = {intent: some for intent, some in sorted(phrases.items()) if some}
    lines = ['version: "3.1"', "nlu:"]
    for intent, some in kept.items():
        lines += [f"- intent: {intent}", "  examples: |", *(f"    - {phrase}" for phrase in _sorted(some))]
    _replace(file, _HEADERS["phrases"] + "\n".join(lines) + "\n" if kept else None)


def _read_rows(file: Path) -> list[dict[str, Any]]:
    if not file.is_file():
        return []
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines() if line.strip()]


def _write_rows(file: Path, rows: list[dict[str, Any]]) -> None:
    ordered = sorted(rows, key=lambda row: (canonical(row["text"]), row["id"]))
    lines = (json.dumps(row, ensure_ascii=False) + "\n" for row in ordered)
    _replace(file, "".join(lines) or None)


def _read_names(file: Path) -> dict[str, dict[str, Any]]:
    if not file.is_file():
        return {}
    loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    entries = yaml.load(file.read_text(encoding="utf-8"), Loader=loader) or []  # noqa: S506 - a safe loader
    return {
        str(entry["code"]): {
            "code": str(entry["code"]),
            "names": [str(name) for name in entry["names"]],
            "not": [str(name) for name in entry.get("not") or []],
        }
        for entry in entries
    }


def _write_names(file: Path, entries: dict[str, dict[str, Any]]) -> None:
    lines = [
        f"- {{code: {_quoted(code)}, names: {_listed(entry['names'])}, not: {_listed(entry['not'])}}}\n"
        for code, entry in sorted(entries.items())
    ]
    _replace(file, _HEADERS["names"] + "\n" + "".join(lines) if lines else None)


def _listed(names: Iterable[str]) -> str:
    return f"[{', '.join(_quoted(name) for name in _sorted(set(names)))}]"


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _sorted(texts: Iterable[str]) -> Iterator[str]:
    return iter(sorted(texts, key=lambda text: (canonical(text), text)))


def _replace(file: Path, content: str | None) -> None:
    """Put content in place of a file's, whole or not at all; None takes the file away."""
    if content is None:
        file.unlink(missing_ok=True)
        return
    file.parent.mkdir(parents=True, exist_ok=True)
    beside = file.with_name(f".{file.name}.{os.getpid()}")
    beside.write_text(content, encoding="utf-8")
    beside.replace(file)
