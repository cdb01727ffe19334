"""Files of the web chat over HTTP: sent, shown to their owner and to operators, refused with a sentence."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from typing import Any
from uuid import uuid4

import httpx
import pytest
from fastapi import FastAPI
from PIL import ExifTags, Image

from api.app import create_app
from api.settings import Settings
from api.uploads import LARGEST_UPLOAD
from connectors.webchat.links import LIFETIME, FileLinks
from conversations.media.service import LARGEST_FILE
from database.clock import SystemClock
from tests.api.conftest import Visitor, answered


def photo(size: tuple[int, int] = (800, 600)) -> bytes:
    """Return a JPEG with the place it was taken at."""
    exif = Image.Exif()
    place = exif.get_ifd(ExifTags.IFD.GPSInfo)
    place[ExifTags.GPS.GPSLatitude] = (13.0, 58.0, 59.0)
    buffer = io.BytesIO()
    Image.new("RGB", size, "green").save(buffer, "JPEG", exif=exif)
    return buffer.getvalue()


async def upload(
    visitor: Any, content: bytes, name: str = "IMG_1.jpg", client_id: str | None = None
) -> httpx.Response:
    response: httpx.Response = await visitor.client.post(
        "/chat/files",
        headers=visitor.headers,
        data={"client_id": client_id or str(uuid4())},
        files={"file": (name, content, "application/octet-stream")},
    )
    return response


@pytest.fixture
async def other(client: httpx.AsyncClient) -> Visitor:
    return Visitor(client, (await client.post("/chat/session", json={})).json()["token"])


async def test_a_picture_is_sent_and_seen_without_its_metadata(visitor: Any, client: httpx.AsyncClient):
    sent = photo()
    assert b"Exif" in sent
    response = await upload(visitor, sent)
    assert response.status_code == 201
    file = response.json()
    assert (file["kind"], file["name"], file["width"], file["height"]) == ("image", "IMG_1.jpg", 800, 600)
    taken = await visitor.say("hố ga mất nắp", str(uuid4()), attachments=[file["id"]])
    assert taken.status_code == 202
    [message] = (await visitor.read())["messages"][:1]
    [shown] = message["attachments"]
    assert shown == {**file, "url": shown["url"]}
    for address in (shown["url"], shown["url"] + "&small=true"):
        read = await client.get(address)
        assert read.status_code == 200
        assert read.headers["content-type"] == "image/jpeg"
        assert b"Exif" not in read.content
        assert Image.open(io.BytesIO(read.content)).size in ((800, 600), (480, 360))


async def test_what_is_read_runs_nowhere(visitor: Any, client: httpx.AsyncClient):
    pdf = (await upload(visitor, b"%PDF-1.7\n<script>", "Đơn\r\n đề nghị.pdf")).json()
    picture = (await upload(visitor, photo())).json()
    for file, disposition in ((pdf, "attachment"), (picture, "inline")):
        headers = (await client.get(file["url"])).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["content-disposition"].startswith(disposition)
        assert "sandbox" in headers["content-security-policy"]
        assert "default-src 'none'" in headers["content-security-policy"]
        assert headers["cache-control"].startswith("private")
        assert "\n" not in headers["content-disposition"]


async def test_a_file_is_read_by_its_owner_and_by_nobody_else(
    visitor: Any, other: Visitor, client: httpx.AsyncClient
):
    file = (await upload(visitor, photo())).json()
    path = f"/chat/files/{file['id']}"
    assert (await client.get(path, headers=visitor.headers)).status_code == 200
    refused = await client.get(path)
    assert (refused.status_code, refused.json()["error"]) == (401, "bad_token")
    hidden = await client.get(path, headers=other.headers)
    missing = await client.get(f"/chat/files/{'0' * 32}", headers=other.headers)
    assert (hidden.status_code, hidden.json()) == (404, missing.json())
    query = file["url"].split("?")[1]
    for changed in (
        f"/chat/files/{'0' * 32}?{query}",
        file["url"][:-1] + ("0" if file["url"][-1] != "0" else "1"),
        file["url"].replace("expires=", "expires=9"),
        f"{path}?expires=٣&signature=x",
    ):
        assert (await client.get(changed)).status_code == 401
    assert (await client.get("/chat/files/..%2f..%2fsecret.key")).status_code in (404, 422)
    assert (await client.get("/console/files/" + file["id"])).status_code == 401


async def test_somebody_elses_file_is_not_sent(visitor: Any, other: Visitor):
    file = (await upload(visitor, photo())).json()
    refused = await other.say("của tôi", str(uuid4()), attachments=[file["id"]])
    assert (refused.status_code, refused.json()["error"]) == (422, "file_gone")
    assert (await other.read())["messages"] == []


def test_an_address_works_for_an_hour_or_two():
    class Clock(SystemClock):
        later = timedelta()

        def now(self) -> Any:
            return super().now() + self.later

    clock = Clock()
    links = FileLinks("secret", clock)
    query = dict(part.split("=") for part in links.path("a" * 32).split("?")[1].split("&"))
    for later, is_valid in ((0, True), (LIFETIME, True), (2 * LIFETIME + 1, False)):
        clock.later = timedelta(seconds=later)
        assert links.is_valid("a" * 32, query["expires"], query["signature"]) is is_valid
    assert not FileLinks("another", SystemClock()).is_valid("a" * 32, query["expires"], query["signature"])


async def test_the_same_upload_again_is_the_same_file(visitor: Any):
    client_id = str(uuid4())
    first = (await upload(visitor, photo(), client_id=client_id)).json()
    assert (await upload(visitor, photo(), client_id=client_id)).json()["id"] == first["id"]


@pytest.mark.parametrize(
    ("content", "name", "status", "code"),
    [
        (b"", "a.jpg", 422, "file_empty"),
        (b"MZ\x90\x00", "anh.jpg", 422, "file_type"),
        (b"<svg onload='alert(1)'/>", "a.svg", 422, "file_type"),
        (photo()[:200], "a.jpg", 422, "file_broken"),
        (b"\x00" * (LARGEST_FILE + 1), "a.jpg", 413, "file_too_large"),
        (b"\x00" * (LARGEST_UPLOAD + 1), "a.jpg", 413, "file_too_large"),
    ],
)
async def test_files_are_refused_in_vietnamese(
    visitor: Any, content: bytes, name: str, status: int, code: str
):
    response = await upload(visitor, content, name)
    assert (response.status_code, response.json()["error"]) == (status, code)
    assert response.json()["message"]


@pytest.mark.parametrize(
    ("headers", "body", "status"),
    [
        ({}, b"", 422),
        ({"content-type": "application/json"}, b"{}", 422),
        ({"content-type": "multipart/form-data"}, b"x", 422),
        ({"content-type": "multipart/form-data; boundary="}, b"x", 422),
        ({"content-type": "multipart/form-data; boundary=b; charset=nonsense"}, b"--b--", 422),
        ({"content-type": "multipart/form-data; boundary=b"}, b"garbage", 422),
        ({"content-type": "multipart/form-data; boundary=b"}, b"--b\r\n\r\n", 422),
        (
            {"content-type": "multipart/form-data; boundary=b"},
            b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\n\r\nxin\r\n--b--\r\n',
            422,
        ),
    ],
)
async def test_malformed_forms_are_refused(visitor: Any, headers: dict[str, str], body: bytes, status: int):
    response = await visitor.client.post("/chat/files", content=body, headers={**visitor.headers, **headers})
    assert response.status_code == status, response.text
    assert response.json()["message"]


async def test_a_body_that_is_too_large_is_not_read_on(visitor: Any):
    given = 0

    async def body() -> AsyncIterator[bytes]:
        nonlocal given
        yield b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.jpg"\r\n\r\n'
        while given < 100 * 1024 * 1024:
            given += 64 * 1024
            yield b"\x00" * 64 * 1024

    headers = {**visitor.headers, "content-type": "multipart/form-data; boundary=b"}
    response = await visitor.client.post("/chat/files", content=body(), headers=headers)
    assert (response.status_code, response.json()["error"]) == (413, "file_too_large")
    assert given <= LARGEST_UPLOAD + 128 * 1024
    declared = {**headers, "content-length": str(LARGEST_UPLOAD + 1)}
    response = await visitor.client.post("/chat/files", content=b"", headers=declared)
    assert response.status_code == 413


async def test_without_a_token_nothing_is_read(client: httpx.AsyncClient):
    response = await client.post("/chat/files", files={"file": ("a.jpg", photo())})
    assert (response.status_code, response.json()["error"]) == (401, "bad_token")


async def test_so_many_files_in_ten_minutes(make_settings: Callable[..., Settings]):
    app = create_app(make_settings(visitor_files_per_ten_minutes=2, secret_key="file-limits"))
    async with app.router.lifespan_context(app):
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://1022") as client:
            visitor = Visitor(client, (await client.post("/chat/session", json={})).json()["token"])
            responses = [await upload(visitor, b"%PDF-1.7", "a.pdf") for _ in range(5)]
    assert [response.status_code for response in responses].count(429) >= 1
    assert responses[-1].headers["retry-after"] == "600"
    assert responses[-1].json()["error"] == "too_many_files"


async def test_a_picture_alone_is_acknowledged_and_goes_with_the_report_after_it(
    visitor: Any, app: FastAPI, bot: Any
):
    file = (await upload(visitor, photo())).json()
    await visitor.say("", str(uuid4()), attachments=[file["id"]])
    found = await answered(visitor, 2)
    assert "em đã nhận được ảnh" in found["messages"][1]["text"]
    assert bot.asked == []
    bot.turn = {"route": "ticket", "aspect": None, "procedures": []}
    await visitor.say("hố ga mất nắp trước số 12 Trần Phú", str(uuid4()))
    await answered(visitor, 4)
    assert bot.asked[0]["metadata"]["attachments"] == [{"id": file["id"], "kind": "image"}]
    # Inside the report a picture needs no words.
    second = (await upload(visitor, photo())).json()
    await visitor.say("", str(uuid4()), attachments=[second["id"]])
    await answered(visitor, 6)
    assert bot.asked[1]["metadata"]["attachments"] == [{"id": second["id"], "kind": "image"}]
    assert bot.asked[1]["metadata"]["text"] == ""


async def test_at_most_ten_files_a_message(visitor: Any):
    refused = await visitor.say("a", str(uuid4()), attachments=[f"{n:032x}" for n in range(11)])
    assert (refused.status_code, refused.json()["error"]) == (422, "too_many_attachments")
