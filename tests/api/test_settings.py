"""Where settings come from."""

from __future__ import annotations

from pathlib import Path

import pytest

from api.settings import Settings
from database.engine import Pool


def test_secrets_may_be_files_and_the_environment_is_stronger(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "secret_key").write_text("from a file\n")
    (tmp_path / "internal_token").write_text("from a file\n")
    monkeypatch.setenv("SECRETS_DIR", str(tmp_path))
    monkeypatch.setenv("INTERNAL_TOKEN", "from the environment")
    settings = Settings(_env_file=None)
    assert settings.resolved_secret_key() == "from a file"
    assert settings.resolved_internal_token() == "from the environment"
    assert "from a file" not in repr(settings)


def test_there_need_not_be_such_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRETS_DIR", str(tmp_path / "missing"))
    monkeypatch.delenv("SECRET_KEY", raising=False)
    assert Settings(_env_file=None, data_dir=tmp_path).secret_key is None


def test_an_empty_file_is_a_setting_that_is_not_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "database_url").write_text("")
    monkeypatch.setenv("SECRETS_DIR", str(tmp_path))
    monkeypatch.delenv("DATABASE_URL", raising=False)
    assert Settings(_env_file=None, data_dir=tmp_path).resolved_database_url().startswith("sqlite")


def test_the_connections_to_the_database_can_be_set(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Settings(_env_file=None).database_pool() == Pool()
    for name, value in (("SIZE", "3"), ("OVERFLOW", "0"), ("SECONDS", "1.5")):
        monkeypatch.setenv(f"DATABASE_POOL_{name}", value)
    monkeypatch.setenv("DATABASE_STATEMENT_SECONDS", "4")
    assert Settings(_env_file=None).database_pool() == Pool(3, 0, 1.5, 4.0)
