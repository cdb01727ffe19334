"""The codes a message quotes: of a ticket, of a filed dossier, of a procedure."""

from __future__ import annotations

from tickets import codes
from vntext.codes import Kind, find_codes


def _first(text: str, kind: Kind) -> str | None:
    return next((code.value for code in find_codes(text) if code.kind == kind), None)


def find_dossier_code(text: str) -> str | None:
    """Return the first dossier code in a text ("H21.20.15-261012-0034")."""
    return _first(text, "dossier")


def find_procedure_code(text: str) -> str | None:
    """Return the first procedure code in a text ("1.001193")."""
    return _first(text, "procedure")


def find_ticket_code(text: str) -> str | None:
    """Return the first ticket code in a text as it is typed; a message of nothing else may be looser."""
    if codes.read(text) is not None:
        return text.strip()
    return _first(text, "ticket")
