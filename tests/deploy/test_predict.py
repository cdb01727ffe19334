"""The processes that answer evaluation rows find each other."""

from __future__ import annotations

from pathlib import Path

from deploy.local.predict import stack_of_one_process
from deploy.local.stack import Stack


def test_the_bot_calls_its_actions_where_the_rows_are_said(tmp_path: Path):
    stack = stack_of_one_process(Stack(data_dir=Path("elsewhere")), tmp_path)
    told = stack.environment()
    assert told["DATA_DIR"] == str(tmp_path)
    assert told["ACTIONS_URL"] == f"http://127.0.0.1:{told['APP_PORT']}/internal/actions/webhook"
