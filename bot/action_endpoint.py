"""The action server as Rasa calls it, with a timeout of our own and connections that are kept."""

from __future__ import annotations

from typing import Any

import aiohttp
from jsonschema.validators import validator_for
from rasa.core.actions.action import RemoteAction
from rasa.utils.endpoints import ClientResponseError, EndpointConfig

from telemetry.tracing import outgoing_headers


class ActionServerUnavailableError(Exception):
    """The action server did not answer at all, or not in time."""


class ActionServerFailedError(Exception):
    """The action server answered, but with an error."""


def check_schema_once() -> None:
    """Let Rasa check what actions return against a schema that is compiled once.

    `jsonschema.validate`, which Rasa calls for each action, checks the schema itself every time; that was
    nearly half of a whole turn. There is no setting for it.
    """
    schema = RemoteAction.action_response_format_spec()
    validator = validator_for(schema)(schema)

    def validate_action_result(_: RemoteAction, result: dict[str, Any]) -> bool:
        validator.validate(result)
        return True

    RemoteAction._validate_action_result = validate_action_result


class ActionEndpoint(EndpointConfig):
    """An action endpoint that gives up after `timeout` seconds.

    Rasa waits 300 s, fixed in its code, and opens a connection for each action. Token and headers
    are configured as for any Rasa endpoint.
    """

    def __init__(self, *args: Any, timeout: float | str = 10.0, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._timeout = aiohttp.ClientTimeout(total=float(timeout))
        self._kept: aiohttp.ClientSession | None = None

    @classmethod
    def of(cls, endpoint: EndpointConfig) -> ActionEndpoint:
        """Build one from an endpoint that Rasa read; `timeout` may stand among its keys."""
        return cls(
            endpoint.url,
            endpoint.params,
            endpoint.headers,
            endpoint.basic_auth,
            endpoint.token,
            endpoint.token_name,
            endpoint.cafile,
            **endpoint.kwargs,
        )

    def session(self) -> aiohttp.ClientSession:
        """Return the session whose connections are kept, opening it first where needed."""
        if self._kept is None or self._kept.closed:
            auth = aiohttp.BasicAuth(**self.basic_auth) if self.basic_auth else None
            # Shorter than uvicorn keeps an idle one (5 s), so that none is used just as it closes.
            connector = aiohttp.TCPConnector(keepalive_timeout=2.0)
            self._kept = aiohttp.ClientSession(headers=self.headers, auth=auth, connector=connector)
        return self._kept

    async def request(self, method: str = "post", subpath: str | None = None, **kwargs: Any) -> Any:
        """Send one request and return the JSON that came back.

        Raises:
            ActionServerUnavailableError: no answer, or none in time.
            ActionServerFailedError: an error, or an answer that is no JSON.
            rasa.utils.endpoints.ClientResponseError: status 400, for Rasa a rejection.
        """
        kwargs["headers"] = {**kwargs.get("headers", {}), **outgoing_headers()}
        kwargs["timeout"] = self._timeout  # instead of the 300 s that the caller passes
        url = self.url if not subpath else f"{self.url.rstrip('/')}/{subpath.lstrip('/')}"
        params = self.combine_parameters(kwargs)
        try:
            async with self.session().request(method, url, params=params, **kwargs) as response:
                if response.status == 400:
                    raise ClientResponseError(400, response.reason, await response.text())
                if response.status != 200:
                    raise ActionServerFailedError(f"the action server answered {response.status}")
                return await response.json()
        except ClientResponseError:
            raise
        except (aiohttp.ContentTypeError, ValueError) as error:
            raise ActionServerFailedError("the action server did not answer in JSON") from error
        except (TimeoutError, aiohttp.ClientError) as error:
            raise ActionServerUnavailableError(f"the action server did not answer: {error!r}") from error

    async def close(self) -> None:
        """Close the kept connections."""
        if self._kept is not None:
            await self._kept.close()
