"""The commands on an instance: settings and secrets are found, the database is waited for."""

from __future__ import annotations

from pathlib import Path

import pytest

from deploy.instance import main


@pytest.fixture
def secrets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of secrets as containers and systemd hand them over, and no other settings."""
    folder = tmp_path / "secrets"
    folder.mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SECRETS_DIR", str(folder))
    monkeypatch.setenv("DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("PUBLIC_URL", "https://1022.example.gov.vn/")
    monkeypatch.delenv("DATABASE_URL", raising=False)
    return folder


def test_the_first_administrator_gets_a_link(secrets: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = secrets.parent / "elsewhere.sqlite3"
    (secrets / "database_url").write_text(f"sqlite+inline:///{file}\n")
    assert main(["admin"]) == 0
    assert capsys.readouterr().out.startswith("https://1022.example.gov.vn/console/set-password?token=")
    assert file.is_file()


def test_a_database_that_stays_away_is_told(secrets: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (secrets / "database_url").write_text("postgresql+asyncpg://nobody@127.0.0.1:1/none")
    assert main(["--wait", "0", "prepare"]) == 1
    assert "the database cannot be used" in capsys.readouterr().err
