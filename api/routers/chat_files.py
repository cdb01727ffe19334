"""Pictures and files of the web chat: stored when they are sent, read by whoever sent them."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Header, Path, Query, Request
from fastapi.responses import FileResponse

from api.chat_messages import FileBody, slow_down
from api.errors import PROBLEMS, Problem
from api.files import file_response
from api.routers.chat import ServicesHere, VisitorHere, address_of
from api.uploads import read_upload
from connectors.webchat.connector import CHANNEL
from connectors.webchat.limits import Limit
from conversations.media.service import Person, StoredFile

router = APIRouter(prefix="/chat/files", tags=["chat"], responses=PROBLEMS)

_WINDOW_SECONDS = 600
_FORM: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["client_id", "file"],
                    "properties": {
                        "client_id": {
                            "type": "string",
                            "format": "uuid",
                            "description": "Made by the widget: sent again, the file is stored once",
                        },
                        "file": {"type": "string", "format": "binary", "description": "At most 10 MB"},
                    },
                }
            }
        },
    }
}


@router.post("", status_code=201, summary="Store a picture or a file", openapi_extra=_FORM)
async def store_file(visitor: VisitorHere, request: Request, services: ServicesHere) -> FileBody:
    """Store a file, to be sent with a message: JPEG, PNG, WebP, GIF, HEIC; PDF, docx, xlsx, txt.

    Its bytes decide what it is. Pictures are written anew, without where and by what they were taken. Nothing
    is read on once a body has more than 10 MB.
    """
    settings = services.settings
    exceeded = services.limits.allow(
        (Limit("visitor-files", settings.visitor_files_per_ten_minutes, _WINDOW_SECONDS), visitor),
        (
            Limit("address-files", settings.address_files_per_ten_minutes, _WINDOW_SECONDS),
            address_of(request),
        ),
    )
    if exceeded is not None:
        code = "too_many_files" if exceeded.name == "visitor-files" else "too_many_addresses"
        raise slow_down(code, _WINDOW_SECONDS)
    client_id, name, content = await read_upload(request)
    stored = await services.media.add(
        Person(CHANNEL, visitor), client_id=str(client_id), name=name, content=content
    )
    return _body(stored, services.links.path(stored.id))


@router.get(
    "/{file_id}",
    summary="Read a file",
    response_class=FileResponse,
    responses={200: {"content": {"application/octet-stream": {}}}, 404: PROBLEMS[422]},
)
async def read_file(
    services: ServicesHere,
    file_id: Annotated[str, Path(pattern="^[0-9a-f]{32}$")],
    expires: Annotated[str, Query(max_length=20)] = "",
    signature: Annotated[str, Query(max_length=100)] = "",
    small: Annotated[bool, Query(description="A picture's small copy")] = False,
    authorization: Annotated[str, Header()] = "",
) -> FileResponse:
    """Return a file to whoever has its signed address, or is its owner by the visitor's token."""
    file = await services.media.find(file_id)
    if not services.links.is_valid(file_id, expires, signature):
        visitor = services.visitors.read(authorization.removeprefix("Bearer ").strip())
        if visitor is None:
            raise Problem(401, "bad_token")
        if file is not None and file.owner != Person(CHANNEL, visitor):
            file = None
    if file is None:
        raise Problem(404, "file_gone")
    return file_response(services.media, file, small=small)


def _body(file: StoredFile, url: str) -> FileBody:
    return FileBody(
        id=file.id,
        url=url,
        kind=file.kind,
        name=file.name,
        size=file.size,
        width=file.width,
        height=file.height,
    )
