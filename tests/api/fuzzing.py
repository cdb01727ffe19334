"""Requests of any kind for every route of an app, made from what the route itself says it reads."""

from __future__ import annotations

import copy
import itertools
import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, unquote, urlencode

from fastapi.routing import APIRoute
from hypothesis import strategies as st
from pydantic import BaseModel
from starlette.types import ASGIApp, Message

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "0"))
"""How many requests each entrance gets; 0: some, the same ones in each run."""

NASTY = (
    "", " ", "\0", "a\0b", "0", "-1", "3", "9" * 30, str(2**31), str(2**63), "1e999", "NaN", "٣", "on",
    "true", "2026-11-20", "2026-13-45", "0001-01-01", "9999-12-31", "'; DROP TABLE users; --", "%", "_", "\\",
    "{{7*7}}", "<script>alert(1)</script>", "../../etc/passwd", "\u202e", "🐃", "e\u0301", "\r\nx: y",
    "x" * 9_000, "[]", "{}", "0905123456", "GL-2026-999999-9",
)  # fmt: skip
"""What has broken programs before."""

ALSO = ("extra", "text", "agency", "reason", "how", "other", "content", "place", "field", "kind", "urgent")
"""Fields of forms that routes read by themselves, and one that none reads."""

_ADDRESSES = itertools.count(1)


@dataclass(frozen=True)
class Request:
    """What is sent, before it is signed or somebody's session is put to it."""

    method: str
    path: str
    query: str = ""
    content_type: str | None = None
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Reads:
    """The names of what a route reads."""

    path: frozenset[str]
    query: tuple[str, ...]
    body: tuple[str, ...]


def reads(route: APIRoute) -> Reads:
    """Return what a route and its dependencies read."""
    path: set[str] = set()
    query: dict[str, None] = {}
    body: dict[str, None] = {}
    left = [route.dependant]
    while left:
        dependant = left.pop()
        path |= {one.alias for one in dependant.path_params}
        query |= dict.fromkeys(_names(dependant.query_params))
        body |= dict.fromkeys(_names(dependant.body_params))
        left += dependant.dependencies
    return Reads(frozenset(path), tuple(query), tuple(body))


def _names(fields: Iterable[Any]) -> Iterator[str]:
    for one in fields:
        yield one.alias
        # Where several values are read into a model, each of them has a name of its own.
        kind = one.field_info.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            yield from (inner.alias or name for name, inner in kind.model_fields.items())


def words(known: Iterable[str]) -> st.SearchStrategy[str]:
    """Return values: records there are, what has broken programs before, and anything."""
    anything = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
    return st.sampled_from([*known]) | st.sampled_from(NASTY) | anything | st.integers().map(str)


def any_json(known: Iterable[str]) -> st.SearchStrategy[Any]:
    """Return JSON of any kind."""
    leaves = st.none() | st.booleans() | st.integers() | st.floats() | words(known)
    return st.recursive(
        leaves,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
        max_leaves=8,
    )


@st.composite
def mutated(draw: st.DrawFn, originals: list[dict[str, Any]], known: Iterable[str]) -> bytes:
    """Return one of the JSON bodies in which some field is missing or something else."""
    body = copy.deepcopy(draw(st.sampled_from(originals)))
    for _ in range(draw(st.integers(0, 3))):
        nodes: list[Any] = [body]
        for node in nodes:
            children = node.values() if isinstance(node, dict) else node
            nodes += [child for child in children if isinstance(child, dict | list) and child]
        node = draw(st.sampled_from([one for one in nodes if isinstance(one, dict)]))
        if not node:
            break
        name = draw(st.sampled_from(sorted(node)))
        if draw(st.booleans()):
            node[name] = draw(any_json(known))
        else:
            del node[name]
    return json.dumps(body).encode()


def requests(
    method: str,
    path: str,
    read: Reads,
    records: dict[str, str],
    bodies: st.SearchStrategy[bytes] | None = None,
) -> st.SearchStrategy[Request]:
    """Return requests for a route.

    Args:
        method: most are sent with it, some with another.
        path: as the route has it, parameters in braces.
        read: what the route reads.
        records: ids of records there are, by the name of the path's parameter they fit.
        bodies: near what the route expects, where it says nothing of that itself.
    """
    known = tuple(records.values())
    values = words(known)
    query = st.lists(st.tuples(st.sampled_from([*read.query, "extra"]), values), max_size=4)
    if read.query:
        query |= st.fixed_dictionaries({}, optional=dict.fromkeys(read.query, values)).map(
            lambda found: [*found.items()]
        )
    return st.builds(
        lambda name, ids, asked, content: Request(
            name, path.format(**ids).replace("//", "/"), urlencode(asked), content[0], content[1]
        ),
        st.just(method) | st.sampled_from(["GET", "POST", "HEAD", "PUT", "DELETE", "OPTIONS"])
        if method != "GET"
        else st.just(method),
        st.fixed_dictionaries(
            {
                name: (st.just(records[name]) if name in records else st.nothing())
                | values.map(lambda value: quote(value, safe=""))
                | st.sampled_from(["%ff", "%00", "%ED%A0%80", "..", "%2e%2e%2f"])
                for name in read.path
            }
        ),
        query,
        _bodies(method, read.body, known, bodies),
    )


def _bodies(
    method: str, names: tuple[str, ...], known: tuple[str, ...], near: st.SearchStrategy[bytes] | None
) -> st.SearchStrategy[tuple[str | None, bytes]]:
    nothing = st.just((None, b""))
    if method == "GET":
        return nothing
    values = words(known)
    fields = st.lists(st.tuples(st.sampled_from([*names, *ALSO]), values), max_size=6)
    if names:
        fields |= st.fixed_dictionaries({}, optional=dict.fromkeys(names, values)).map(
            lambda found: [*found.items()]
        )
    form = fields.map(lambda found: ("application/x-www-form-urlencoded", urlencode(found).encode()))
    upload = st.builds(_multipart, fields, st.sampled_from(["a.png", "../b", ""]), st.binary(max_size=80))
    content = any_json(known)
    if names:
        content |= st.fixed_dictionaries({}, optional=dict.fromkeys(names, content))
    text = content.map(lambda found: ("application/json", json.dumps(found).encode()))
    kinds = st.sampled_from(
        ["application/json", "application/x-www-form-urlencoded", "multipart/form-data", "text/plain", "\xff"]
    )
    raw = st.tuples(kinds, st.binary(max_size=80))
    found = nothing | form | upload | text | raw
    return found if near is None else near.map(lambda body: ("application/json", body)) | found


def _multipart(fields: list[tuple[str, str]], name: str, content: bytes) -> tuple[str, bytes]:
    parts = [
        f'Content-Disposition: form-data; name="{key}"\r\n\r\n'.encode() + value.encode()
        for key, value in fields
    ]
    head = f'Content-Disposition: form-data; name="file"; filename="{name}"\r\n\r\n'
    parts.append(head.encode() + content)
    body = b"".join(b"--1022\r\n" + part + b"\r\n" for part in parts) + b"--1022--\r\n"
    return "multipart/form-data; boundary=1022", body


async def send(app: ASGIApp, request: Request) -> int:
    """Send a request as a server would and go away once it is sent: what is a stream ends then.

    Returns:
        The status; 0 where nothing was answered because nobody was there any more.
    """
    number = next(_ADDRESSES)
    headers = {"host": "1022", **request.headers}
    if request.content_type is not None:
        headers["content-type"] = request.content_type
    if request.body:
        headers["content-length"] = str(len(request.body))
    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": request.method,
        "scheme": "http",
        "path": unquote(request.path),
        "raw_path": request.path.encode("latin-1"),
        "root_path": "",
        "query_string": request.query.encode("latin-1"),
        "headers": [(name.encode(), value.encode("latin-1")) for name, value in headers.items()],
        # Each from somewhere else: what is counted by address is not what is tried here.
        "client": (f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}", 1),
        "server": ("1022", 80),
    }
    events: Iterator[Message] = itertools.chain(
        [{"type": "http.request", "body": request.body, "more_body": False}],
        itertools.repeat({"type": "http.disconnect"}),
    )
    found: list[int] = []

    async def receive() -> Message:
        return next(events)

    async def answer(event: Message) -> None:
        if event["type"] == "http.response.start":
            found.append(event["status"])

    await app(scope, receive, answer)
    return found[0] if found else 0
