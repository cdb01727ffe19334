"""Gets one file from an address somebody else named, without letting them reach what only we can reach.

A provider tells where a citizen's picture lies. The address is data of a stranger: it may point at this
machine or the network behind it (server-side request forgery), at once, after a redirect, or by a name that
resolves differently the second time. So only addresses of the public internet are connected to, checked on
what the name resolved to and used for the connection itself, on every redirect, on the usual ports.
"""

from __future__ import annotations

import socket
from collections.abc import Collection
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from urllib.parse import unquote, urljoin, urlsplit

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver

_MOST_REDIRECTS = 3
_PORTS = {"http": 80, "https": 443}
_REDIRECTS = (301, 302, 303, 307, 308)
_CHUNK = 64 * 1024
# Addresses that carry an IPv4 address inside: what is inside decides, and we need none of them.
_WRAPPED = (
    ip_network("64:ff9b::/96"),
    ip_network("64:ff9b:1::/48"),
    ip_network("2002::/16"),
    ip_network("2001::/32"),
)


class DownloadError(Exception):
    """A file could not be had.

    Attributes:
        code: why: `address_refused`, `file_too_large`, `gone`, `http_<status>`, `connection`, `timeout`.
        is_final: another try would end the same way.
    """

    def __init__(self, code: str, *, is_final: bool) -> None:
        super().__init__(code)
        self.code = code
        self.is_final = is_final


def is_public(address: str) -> bool:
    """Tell whether an address belongs to the public internet."""
    try:
        found = ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(found, IPv6Address):
        if found.ipv4_mapped is not None:
            return _is_public_v4(found.ipv4_mapped)
        if any(found in network for network in _WRAPPED):
            return False
        return found.is_global and not found.is_multicast
    return _is_public_v4(found)


def _is_public_v4(address: IPv4Address) -> bool:
    return address.is_global and not address.is_multicast


class _PublicResolver(AbstractResolver):
    """Resolves names, and leaves out every address that is not public; the connection uses what is left."""

    def __init__(self, allowed_hosts: Collection[str]) -> None:
        self._allowed = allowed_hosts
        self._resolver = ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Return the public addresses of a name."""
        found = await self._resolver.resolve(host, port, family)
        kept = [one for one in found if is_public(one["host"]) or f"{host}:{port}" in self._allowed]
        if not kept:
            raise DownloadError("address_refused", is_final=True)
        return kept

    async def close(self) -> None:
        """Close nothing."""
        await self._resolver.close()


class Downloader:
    """Gets files.

    Args:
        largest: bytes of the largest file that is taken.
        allowed: `host:port` of machines that may be reached although they are not public: a provider that is
            played, a storage of our own.
        seconds: the longest time for one file.
    """

    def __init__(self, largest: int, *, allowed: Collection[str] = (), seconds: float = 20.0) -> None:
        self._largest = largest
        self._allowed = frozenset(allowed)
        self._seconds = seconds
        self._http: aiohttp.ClientSession | None = None

    async def get(self, url: str) -> tuple[bytes, str]:
        """Return a file's bytes and the name its address or its sender gives it.

        Raises:
            DownloadError: it could not be had.
        """
        try:
            for _ in range(_MOST_REDIRECTS + 1):
                self._check(url)
                async with self._session().get(url, allow_redirects=False) as response:
                    if response.status in _REDIRECTS:
                        url = urljoin(url, response.headers.get("Location", ""))
                        continue
                    return await self._read(response), _name(url, response)
        except TimeoutError as error:
            raise DownloadError("timeout", is_final=False) from error
        except (aiohttp.ClientError, OSError) as error:
            refused = _refusal(error)
            raise refused or DownloadError("connection", is_final=False) from error
        raise DownloadError("gone", is_final=True)

    async def close(self) -> None:
        """Close the connections."""
        if self._http is not None:
            await self._http.close()
            self._http = None

    def _session(self) -> aiohttp.ClientSession:
        if self._http is None:
            self._http = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(
                    resolver=_PublicResolver(self._allowed), use_dns_cache=False, limit=4
                ),
                timeout=aiohttp.ClientTimeout(total=self._seconds),
                cookie_jar=aiohttp.DummyCookieJar(),
            )
        return self._http

    def _check(self, url: str) -> None:
        """Refuse what no provider's file can be; a name is checked when it is resolved."""
        try:
            parts = urlsplit(url)
            usual = _PORTS[parts.scheme]
            port = parts.port or usual
            host = parts.hostname or ""
        except (ValueError, KeyError) as error:
            raise DownloadError("address_refused", is_final=True) from error
        if f"{host}:{port}" in self._allowed:
            return
        if not host or port != usual or parts.username is not None:
            raise DownloadError("address_refused", is_final=True)
        if _is_literal(host) and not is_public(host):
            raise DownloadError("address_refused", is_final=True)

    async def _read(self, response: aiohttp.ClientResponse) -> bytes:
        if response.status >= 500 or response.status in (408, 425, 429):
            raise DownloadError(f"http_{response.status}", is_final=False)
        if response.status != 200:
            raise DownloadError("gone", is_final=True)
        if (response.content_length or 0) > self._largest:
            raise DownloadError("file_too_large", is_final=True)
        content = bytearray()
        async for chunk in response.content.iter_chunked(_CHUNK):
            content += chunk
            if len(content) > self._largest:
                raise DownloadError("file_too_large", is_final=True)
        return bytes(content)


def _is_literal(host: str) -> bool:
    """Tell whether a host is an address, as a resolver reads them: also `127.1` and `0x7f.1`."""
    if ":" in host:
        return True
    last = host.rstrip(".").rpartition(".")[2].lower()
    return last.isdigit() or last.startswith("0x")


def _refusal(error: BaseException) -> DownloadError | None:
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, DownloadError):
            return cause
        cause = cause.__cause__ or cause.__context__
    return None


def _name(url: str, response: aiohttp.ClientResponse) -> str:
    given = response.content_disposition.filename if response.content_disposition else None
    return given or unquote(urlsplit(url).path.rpartition("/")[2])
