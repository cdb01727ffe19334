"""The public HTTP entrances, tried with whatever their own description allows and does not allow."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator

import pytest
import schemathesis
import uvicorn
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from api.__main__ import server_options
from api.app import create_app
from api.settings import Settings
from tests.api import fuzzing
from tests.api.conftest import free_port

_CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]


class Served:
    """An app of its own, served in a thread; nobody works on its messages."""

    def __init__(self, options: Settings) -> None:
        app = create_app(options)
        self.url = f"http://127.0.0.1:{options.app_port}"
        _visitor, self.token = app.state.services.visitors.new()
        self.server = uvicorn.Server(uvicorn.Config(app, **server_options(options)))
        self.thread = threading.Thread(target=lambda: asyncio.run(self.server.serve()))

    def start(self) -> None:
        self.thread.start()
        while not self.server.started and self.thread.is_alive():
            pass

    def stop(self) -> None:
        self.server.should_exit = True
        self.thread.join()


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    most = 10**9
    app = Served(
        Settings(
            _env_file=None,
            data_dir=tmp_path_factory.mktemp("openapi"),
            app_port=free_port(),
            redis_url="",
            bot_url="http://127.0.0.1:1",
            serve_actions=False,
            run_worker=False,
            log_level="INFO",
            visitor_messages_per_minute=most,
            address_messages_per_minute=most,
            address_sessions_per_minute=most,
            visitor_files_per_ten_minutes=most,
            address_files_per_ten_minutes=most,
        )
    )
    app.start()
    yield app
    app.stop()


@pytest.fixture(scope="module")
def described(served: Served) -> schemathesis.BaseSchema:
    return schemathesis.openapi.from_url(f"{served.url}/openapi.json")


def tries(operation: schemathesis.APIOperation) -> st.SearchStrategy[schemathesis.Case]:
    """Return what the description allows and, where anything can be wrong, what it does not allow."""
    allowed = operation.as_strategy(generation_mode=schemathesis.GenerationMode.POSITIVE)
    if not (operation.body or operation.query or operation.path_parameters or operation.headers):
        return allowed
    return allowed | operation.as_strategy(generation_mode=schemathesis.GenerationMode.NEGATIVE)


def test_every_entrance_answers_as_described(described: schemathesis.BaseSchema, served: Served):
    operations = [operation.ok() for operation in described.get_all_operations()]
    assert len(operations) >= 8
    for operation in operations:

        @settings(
            max_examples=fuzzing.EXAMPLES or 60,
            deadline=None,
            derandomize=not fuzzing.EXAMPLES,
            suppress_health_check=list(HealthCheck),
        )
        # With a visitor's token, what lies behind it is reached.
        @given(case=tries(operation), has_token=st.booleans())
        def answers(case: schemathesis.Case, has_token: bool) -> None:
            headers = {"Authorization": f"Bearer {served.token}"} if has_token else None
            response = case.call(headers=headers, timeout=10)
            case.validate_response(response, checks=_CHECKS)

        answers()
