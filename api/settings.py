"""Every setting of the application: typed, described, with a default that works on one machine.

Read from the environment, from `.env`, and from a folder of files named as the settings (SECRETS_DIR, else
`/run/secrets`), in this order. Secrets never show in a repr or a log.
"""

from __future__ import annotations

import os
import secrets
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import (
    BaseSettings,
    NoDecode,
    PydanticBaseSettingsSource,
    SecretsSettingsSource,
    SettingsConfigDict,
)

from accounts.schemas import ROLES
from database.engine import Pool, sqlite_url


class Settings(BaseSettings):
    """The settings of one instance."""

    model_config = SettingsConfigDict(env_file=".env", env_file_encoding="utf-8", extra="ignore")

    app_host: str = Field("127.0.0.1", description="Address the app listens on")
    app_port: int = Field(8022, ge=1, le=65535, description="Port the app listens on")
    public_url: str = Field(
        "", description="Address people reach the service at; empty: http://<app_host>:<app_port>"
    )
    forwarded_allow_ips: str = Field(
        "127.0.0.1", description="Reverse proxies whose X-Forwarded-For is believed, comma separated"
    )
    data_dir: Path = Field(Path("var"), description="Where the instance keeps what it stores")
    database_url: str = Field("", description="Empty: a SQLite file in data_dir; else postgresql+asyncpg://…")
    database_pool_size: int = Field(10, ge=1, le=500, description="Connections a process keeps to PostgreSQL")
    database_pool_overflow: int = Field(
        20,
        ge=0,
        le=500,
        description="Connections it may have besides for a while; all processes together must stay below "
        "PostgreSQL's max_connections",
    )
    database_pool_seconds: float = Field(
        10.0, gt=0, le=60, description="Seconds a request waits for a connection; then 503"
    )
    database_statement_seconds: float = Field(
        30.0, gt=0, le=600, description="Seconds one statement may take on PostgreSQL"
    )
    redis_url: str = Field("redis://127.0.0.1:6022/0", description="Redis; empty: none, one process only")
    bot_url: str = Field(
        "http://127.0.0.1:5022", description="Base addresses of the bots' gateways, comma separated"
    )
    bot_timeout: float = Field(8.0, gt=0, le=60, description="Seconds the bot may take for one answer")
    internal_token: SecretStr | None = Field(
        None, description="Shared by app and bot; generated into data_dir/internal.token where not set"
    )
    secret_key: SecretStr | None = Field(
        None,
        description="Signs visitors' tokens, seals one-time codes; generated into data_dir/secret.key",
    )
    old_secret_keys: SecretStr = Field(
        SecretStr(""),
        description="Secret keys of before, comma separated: stored credentials are read with them",
    )
    embedding_model: str | None = Field(None, description="Sentence-embedding model; none: the trained one")
    serve_actions: bool = Field(True, description="Answer the bot's action calls in this process")
    actions_host: str = Field("127.0.0.1", description="Address the process of the bot's actions listens on")
    actions_port: int = Field(4022, ge=1, le=65535, description="Its port; it is not for the public")
    knowledge_url: str = Field(
        "",
        description="Where a process without actions finds the knowledge base for the desk's pages: "
        "http://…/internal/knowledge of the actions' process",
    )
    hotline: str = Field("0269.1022", description="Telephone number people are told to call")
    desk_always_open: bool = Field(
        True,
        description="Somebody is at the desk day and night; off: office hours, Monday to Friday",
    )
    operator_silence_minutes: int = Field(
        5,
        ge=1,
        le=120,
        description="Minutes an operator may keep a citizen waiting before others may take the conversation; "
        "after twice that it returns to the queue",
    )
    reception_address: str = Field("", description="Address of the citizen-reception office; empty: not said")
    reception_hours: str = Field("", description="Its hours; empty: not said")
    retention: str = Field("", description="How long a report's personal data is kept, as people read it")
    learning_days: int = Field(
        180,
        ge=1,
        description="Days that what was misunderstood is kept for labelling, without personal data",
    )
    session_idle_minutes: int = Field(
        120, ge=5, le=1_440, description="Minutes without use after which a log-in of the console ends"
    )
    session_hours: int = Field(
        14, ge=1, le=72, description="Hours after which a log-in of the console ends, used or not"
    )
    totp_roles: Annotated[list[str], NoDecode] = Field(
        [], description="Roles that must log in with a one-time code too, comma separated"
    )
    retention_conversation_days: int = Field(
        0, ge=0, description="Days after which what was said in chats is erased; 0: never"
    )
    retention_ticket_days: int = Field(
        0, ge=0, description="Days after a ticket's end after which its contact data is erased; 0: never"
    )
    dossier_url: str = Field("", description="Base address of the one-stop system; empty: not connected")
    dossier_token: SecretStr = Field(SecretStr(""), description="Bearer token for the one-stop system")
    run_worker: bool = Field(True, description="Handle messages inside the app's process")
    worker_concurrency: int = Field(8, ge=1, le=256, description="Conversations handled at once")
    join_pieces: bool = Field(True, description="Read pieces of one message together")
    chat_origins: Annotated[list[str], NoDecode] = Field(
        ["*"], description="Sites that may show the chat widget, comma separated; * means any"
    )
    visitor_messages_per_minute: int = Field(30, ge=1, description="Messages one visitor may send a minute")
    address_messages_per_minute: int = Field(
        300, ge=1, description="Messages one network address may send a minute (families, offices, networks)"
    )
    address_sessions_per_minute: int = Field(
        120, ge=1, description="Chats one network address may open a minute"
    )
    visitor_files_per_ten_minutes: int = Field(
        30, ge=1, description="Pictures and files one visitor may send in ten minutes"
    )
    address_files_per_ten_minutes: int = Field(
        300, ge=1, description="Pictures and files one network address may send in ten minutes"
    )
    chat_sockets: int = Field(
        5_000, ge=1, description="WebSocket connections one process takes; further chats use HTTP"
    )
    event_heartbeat: float = Field(15.0, gt=0, description="Seconds between signs of life on open chats")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field("INFO", description="Least level logged")
    log_format: Literal["console", "json"] = Field("console", description="How log lines look")
    metrics_token: SecretStr | None = Field(
        None, description="Bearer token with which /metrics may be read from anywhere; none: by address only"
    )
    metrics_networks: Annotated[list[IPv4Network | IPv6Network], NoDecode] = Field(
        [ip_network("127.0.0.0/8"), ip_network("::1/128")],
        description="Networks from which /metrics may be read without the token, comma separated",
    )
    worker_host: str = Field("127.0.0.1", description="Address a worker process listens on")
    worker_port: int = Field(
        0, ge=0, le=65535, description="Port of a worker's /metrics, /health and /ready; 0: none"
    )
    otel_traces: bool = Field(False, description="Send traces; needs the packages of the group otel")
    otel_exporter_otlp_endpoint: str = Field(
        "http://127.0.0.1:4318", description="OTLP collector over HTTP that takes the traces"
    )
    otel_share: float = Field(1.0, ge=0, le=1, description="Share of messages that are traced")

    messenger_page_id: str = Field("", description="Facebook page that citizens write to; empty: channel off")
    messenger_app_id: str = Field("", description="Meta app the page is connected to; empty: channel off")
    messenger_app_secret: SecretStr = Field(
        SecretStr(""), description="The Meta app's secret, signs webhooks and calls; empty: channel off"
    )
    messenger_verify_token: SecretStr = Field(
        SecretStr(""), description="Word that Meta repeats when the webhook is set up; free choice"
    )
    messenger_page_token: SecretStr = Field(
        SecretStr(""), description="The page's access token; empty: the one stored by the console's page"
    )
    messenger_api_url: str = Field(
        "https://graph.facebook.com/v25.0", description="Meta's Graph API with its version"
    )
    messenger_human_agent: bool = Field(
        False, description="Meta has granted the permission human_agent: people may answer for 7 days"
    )
    messenger_allow_sha1: bool = Field(
        False, description="Believe webhooks that bear only the older SHA-1 signature"
    )

    channel_settle_seconds: float = Field(
        0.3,
        ge=0,
        le=5,
        description="Seconds a message of Zalo or Messenger waits for an earlier one that comes after it",
    )
    channel_echo_seconds: float = Field(
        30.0,
        ge=0,
        le=300,
        description="Seconds that a message which may have gone out waits for the provider's echo",
    )
    channel_quiet_minutes: int = Field(
        0, ge=0, description="Silence of a channel that raises the alarm; 0: only compared with other days"
    )
    attachment_hosts: Annotated[list[str], NoDecode] = Field(
        [],
        description="Machines (host:port) off the public internet that citizens' files may be fetched from",
    )

    zalo_app_id: str = Field("", description="Application at developers.zalo.me; empty: channel off")
    zalo_app_secret: SecretStr = Field(
        SecretStr(""), description="The Zalo application's secret key; empty: channel off"
    )
    zalo_oa_id: str = Field(
        "", description="Official Account that citizens write to; empty: any of the app's"
    )
    zalo_oa_secret: SecretStr = Field(
        SecretStr(""), description="OA Secret Key, signs webhooks; Zalo shows it beside the webhook's address"
    )
    zalo_api_url: str = Field("https://openapi.zalo.me", description="Zalo's Open API")
    zalo_oauth_url: str = Field("https://oauth.zaloapp.com", description="Zalo's permission page and tokens")
    zalo_window_hours: int = Field(
        48,
        ge=1,
        le=168,
        description="Hours after a citizen's last word in which we write; after 48 Zalo charges",
    )
    zalo_buttons: bool = Field(False, description="Use Zalo's buttons; off: choices as a numbered list")
    zalo_contact_image_url: str = Field(
        "", description="Picture of the card that asks for name and telephone number; empty: no such card"
    )
    zalo_requests_per_minute: int = Field(
        4_000, ge=1, description="Calls to Zalo a minute, until its own headers say another limit"
    )
    zalo_site_verification: str = Field(
        "", description="Code by which Zalo recognises this domain as ours, shown in the home page's head"
    )

    @field_validator("chat_origins", "metrics_networks", "attachment_hosts", "totp_roles", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        if isinstance(value, str):
            return [part.strip() for part in value.split(",") if part.strip()]
        return value

    @field_validator("totp_roles")
    @classmethod
    def _known_roles(cls, value: list[str]) -> list[str]:
        if unknown := set(value) - set(ROLES):
            raise ValueError(f"TOTP_ROLES names roles that do not exist: {', '.join(sorted(unknown))}")
        return value

    @field_validator("embedding_model", "internal_token", "secret_key", "metrics_token", mode="before")
    @classmethod
    def _empty_is_unset(cls, value: object) -> object:
        return None if value == "" else value

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Return where settings come from, the strongest first."""
        folder = Path(os.environ.get("SECRETS_DIR") or "/run/secrets")
        files = SecretsSettingsSource(settings_cls, secrets_dir=folder if folder.is_dir() else None)
        return init_settings, env_settings, dotenv_settings, files

    def bot_urls(self) -> list[str]:
        """Return the base addresses of the bots."""
        return [url.strip() for url in self.bot_url.split(",") if url.strip()]

    def resolved_database_url(self) -> str:
        """Return the database's URL."""
        return self.database_url or sqlite_url(self.data_dir / "1022.sqlite3")

    def resolved_public_url(self) -> str:
        """Return the address people reach the service at, without a slash at its end."""
        return (self.public_url or f"http://{self.app_host}:{self.app_port}").rstrip("/")

    def database_pool(self) -> Pool:
        """Return how many connections to PostgreSQL there are."""
        return Pool(
            self.database_pool_size,
            self.database_pool_overflow,
            self.database_pool_seconds,
            self.database_statement_seconds,
        )

    def resolved_secret_key(self) -> str:
        """Return the key visitors' tokens are signed with, generated at first use."""
        return _secret(self.secret_key, self.data_dir / "secret.key")

    def older_secret_keys(self) -> list[str]:
        """Return the secret keys of before."""
        return [key.strip() for key in self.old_secret_keys.get_secret_value().split(",") if key.strip()]

    def resolved_internal_token(self) -> str:
        """Return the token app and bot share, generated at first use."""
        return _secret(self.internal_token, self.data_dir / "internal.token")


def _secret(given: SecretStr | None, file: Path) -> str:
    if given is not None:
        return given.get_secret_value()
    file.parent.mkdir(parents=True, exist_ok=True)
    own = file.with_name(f"{file.name}.{os.getpid()}")
    descriptor = os.open(own, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as lines:
        lines.write(secrets.token_urlsafe(32))
    try:
        # Whoever links first decides; two processes that start together end with the same secret.
        os.link(own, file)
    except FileExistsError:
        pass
    finally:
        own.unlink()
    return file.read_text(encoding="ascii").strip()
