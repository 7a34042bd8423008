"""Configuration: one frozen object, read once in `wiring`, from the environment or a file."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, SecretStr, field_validator
from pydantic_settings import (
    BaseSettings,
    DotEnvSettingsSource,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from homeport.kernel import errors
from homeport.kernel.addresses import as_host_name, as_network, as_origin_or_any, as_public_url

CHECKOUT = Path(__file__).resolve().parents[2]
"""Where the code is worked on; of an installed Homeport, a directory of the interpreter's."""
DEFAULT_CORS = (
    "capacitor://localhost",
    "ionic://localhost",
    "app://localhost",
    "http://localhost:3000",
    "http://localhost:5173",
    "http://localhost:8080",
)
CommaList = Annotated[tuple[str, ...], NoDecode]
Origins = Annotated[tuple[Annotated[str, AfterValidator(as_origin_or_any)], ...], NoDecode]
HostNames = Annotated[tuple[Annotated[str, AfterValidator(as_host_name)], ...], NoDecode]
Networks = Annotated[tuple[Annotated[str, AfterValidator(as_network)], ...], NoDecode]
PublicURL = Annotated[str, AfterValidator(as_public_url)]


class SettingsFileUnreadable(errors.Invalid):
    """Starting without it would start with other settings: with open registration, say."""

    code = "settings.file-unreadable"
    title = "The file of settings cannot be read"


def env_file() -> Path | None:
    """The file of settings: the one that `ENV_FILE` names, or in the checkout its `.env`.

    The `.env` of any other directory is somebody else's: a cloned repository would say where the
    provider's key is sent, and which database is migrated.
    """
    named = _named_file()
    if named:
        return Path(os.path.realpath(Path(named).expanduser()))
    return CHECKOUT / ".env" if Path.cwd() == CHECKOUT else None


def names_in_file() -> list[str]:
    """All names that the file of settings sets, in small letters, known ones or not.

    A pipe can be read only once, so it tells none.
    """
    file = env_file()
    if file is None or not file.is_file():
        return []
    return list(_File(Settings, env_file=file).env_vars)


def _named_file() -> str | None:
    return os.environ.get("ENV_FILE")  # noqa: TID251 - it says where the settings are


def _refuse_other_than_a_file(file: Path) -> None:
    if file == Path(os.devnull):
        return
    if not (file.is_file() or file.is_fifo()):
        file.stat()  # raises what is wrong, when nothing is there
        raise SettingsFileUnreadable(f"{file} is no file.")


class _File(DotEnvSettingsSource):
    """The file of settings; pydantic's own passes over one that it cannot find."""

    def _load_env_vars(self) -> Mapping[str, str | None]:
        file = env_file()
        try:
            if file is not None and _named_file():
                _refuse_other_than_a_file(file)
            return super()._load_env_vars()
        except OSError as error:
            raise SettingsFileUnreadable(f"{file}: {error.strerror}.") from None
        except UnicodeDecodeError:
            raise SettingsFileUnreadable(f"{file}: it is not UTF-8.") from None


class Settings(BaseSettings):
    """Every setting, with its default. `.env.example` is generated from this class."""

    model_config = SettingsConfigDict(extra="ignore", frozen=True)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - replaced by ours
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - there are none
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """What beats what: what is given, the environment, the file."""
        file = _File(settings_cls, env_file=env_file())
        return init_settings, env_settings, file

    environment: Literal["development", "production"] = Field(
        default="development", description="production refuses unsafe settings instead of warning"
    )
    host: str = Field(default="127.0.0.1", description="address to listen on")
    port: int = Field(default=8000, ge=0, le=65535, description="port to listen on")
    data_dir: Path = Field(default=Path("~/.homeport"), description="database, keys and workspaces")
    workspace_dir: Path | None = Field(default=None, description="default: DATA_DIR/workspaces")
    workspace_roots: CommaList = Field(
        default=(), description="directories under which a project may be opened by its path"
    )
    secret_key: SecretStr | None = Field(
        default=None, description="default: DATA_DIR/secret.key, made at the first start"
    )
    secret_key_previous: Annotated[tuple[SecretStr, ...], NoDecode] = Field(
        default=(),
        description="secrets that still open what they sealed, comma separated (docs/keys.md)",
    )
    database_url: str | None = Field(
        default=None,
        description="default: SQLite in DATA_DIR; postgresql://user:password@host/name,"
        " after `make postgres`",
    )
    redis_url: str | None = Field(
        default=None,
        description="a Redis or Valkey for wake-ups between nodes and common rate limits,"
        " after `make redis`",
    )

    anthropic_api_key: SecretStr | None = Field(
        default=None, description="without it the demo model answers"
    )
    anthropic_base_url: str | None = Field(default=None, description="default: the SDK's own")
    anthropic_model: str | None = Field(default=None, description="model of new sessions")
    anthropic_idle_timeout: float = Field(
        default=60.0, gt=0, description="seconds without a byte until a model call is given up"
    )
    anthropic_max_tokens: int = Field(default=4096, ge=1, description="default of stateless calls")
    chat_answer_within: float = Field(
        default=55.0,
        gt=0,
        description="seconds until the agent's chat completion without a stream tells what it has",
    )

    cors_origins: Origins = Field(
        default=DEFAULT_CORS, description="exact origins, comma separated"
    )
    trusted_hosts: HostNames = Field(default=(), description="Host names answered; empty: loopback")
    trusted_proxies: Networks = Field(
        default=(), description="CIDRs whose X-Forwarded-* is believed"
    )
    public_url: PublicURL | None = Field(default=None, description="the address that people see")
    rate_limit_enabled: bool = Field(default=True, description="refuse what is too much (429)")
    rate_limit_requests: int = Field(
        default=100,
        ge=1,
        description="requests in a period of an account, and of an address without one",
    )
    rate_limit_period: int = Field(default=60, ge=1, description="seconds")
    rate_limit_streams: int = Field(
        default=600, ge=1, description="streams and long-polls opened in a period by an account"
    )
    rate_limit_refreshes: int = Field(
        default=60, ge=1, description="uses of one refresh token in a period"
    )
    rate_limit_credentials: int = Field(
        default=20,
        ge=1,
        description="requests in a period of one address to each route with passwords, codes, keys",
    )
    request_signatures: Literal["off", "critical"] = Field(
        default="off",
        description="critical: changes of passwords, keys, roles, approvals... must be signed",
    )
    registration: Literal["open", "invite", "closed"] = Field(
        default="open", description="who may make an account"
    )

    session_timeout: int = Field(
        default=3600, ge=1, description="seconds until a session counts as idle"
    )
    max_sessions_per_user: int = Field(
        default=10, ge=1, description="sessions at work at once, per user"
    )
    max_streams_per_user: int = Field(
        default=2_000, ge=1, description="event streams and long-polls open at once, per user"
    )
    max_sockets_per_user: int = Field(
        default=20, ge=1, description="WebSockets open at once, per user and node"
    )
    max_subscriptions_per_socket: int = Field(
        default=50, ge=1, description="sessions that one WebSocket follows at once"
    )
    access_token_expire_minutes: int = Field(
        default=15, ge=1, description="lifetime of an access token"
    )
    signing_key_days: int = Field(
        default=90, ge=1, description="age at which the key of access tokens is replaced"
    )
    refresh_token_expire_days: int = Field(
        default=7, ge=1, description="idle lifetime of a refresh token"
    )
    refresh_token_absolute_days: int = Field(
        default=30, ge=1, description="absolute lifetime of a sign-in"
    )
    password_min_length: int = Field(default=8, ge=8, le=128, description="characters")
    password_hasher: Literal["argon2id", "bcrypt"] = Field(
        default="argon2id", description="for new hashes"
    )
    login_failures_per_minute: int = Field(
        default=10,
        ge=0,
        description="wrong passwords and codes, per account and per address; 0: no such limit",
    )
    login_delay: float = Field(
        default=1.0,
        ge=0,
        description="seconds to wait after the fifth wrong password in a row, doubled by each more",
    )

    max_request_size: int = Field(default=1 << 20, description="bytes of a JSON body")
    max_file_size: int = Field(default=10 << 20, description="bytes of a file")
    sandbox: Literal["auto", "full", "seatbelt", "landlock", "none"] = Field(
        default="auto", description="auto takes the strongest rung that this machine holds"
    )
    approval_ttl: int = Field(default=86_400, ge=1, description="seconds until an approval expires")
    run_compact_at: float = Field(
        default=0.9,
        gt=0,
        le=1,
        description="part of the room in the model's context above which it is summarised",
    )
    run_max_turns: int = Field(default=100, ge=1, description="model turns in one run")
    run_max_tokens: int = Field(default=2_000_000, ge=1, description="tokens in and out in one run")
    run_max_tool_calls: int = Field(default=1_000, ge=1, description="tool calls in one run")
    run_max_output_bytes: int = Field(
        default=64 << 20, ge=1, description="bytes of answers and results kept of one run"
    )
    run_max_seconds: int = Field(
        default=3_600,
        ge=1,
        description="wall-clock seconds of one run, without the waiting for people",
    )
    tool_timeout: int = Field(
        default=600, ge=1, description="seconds that one command may take at most"
    )
    node_id: str | None = Field(
        default=None, description="unique per node: at its start it takes its own runs back"
    )
    allow_bypass: bool = Field(
        default=False, description="sessions may run without asking anybody anything"
    )
    demo_pace: float = Field(default=1.0, ge=0, description="scales the delays of the demo model")
    lease_ttl: float = Field(
        default=12.0, gt=0, description="seconds until a silent node loses its runs"
    )

    audit_seal_events: int = Field(
        default=1_000, ge=1, description="a seal is due when so many events are not sealed"
    )
    audit_seal_seconds: float = Field(
        default=300.0, gt=0, description="or when there is one and the last seal is so old"
    )
    audit_anchor_file: Path | None = Field(
        default=None, description="this node's copy of the seals; default: in DATA_DIR/anchors"
    )
    audit_verify_hours: float = Field(
        default=24.0, ge=0, description="one node verifies the whole log so often; 0: never"
    )

    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    log_format: Literal["console", "json"] = "console"
    debug: bool = False

    @field_validator(
        "workspace_dir",
        "database_url",
        "redis_url",
        "anthropic_api_key",
        "anthropic_base_url",
        "anthropic_model",
        "public_url",
        "node_id",
        "audit_anchor_file",
        mode="before",
    )
    @classmethod
    def _unset(cls, value: object) -> object:
        """What a template leaves empty is not set."""
        return None if value == "" else value

    @field_validator("data_dir", mode="before")
    @classmethod
    def _where_it_is_by_default(cls, value: object) -> object:
        """What a template leaves empty is not the directory of whoever starts the server."""
        return cls.model_fields["data_dir"].default if value == "" else value

    @field_validator(
        "workspace_roots",
        "cors_origins",
        "trusted_hosts",
        "trusted_proxies",
        "secret_key_previous",
        mode="before",
    )
    @classmethod
    def _split(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(",") if part.strip())
        return value

    @property
    def data_path(self) -> Path:
        """DATA_DIR, expanded."""
        return self.data_dir.expanduser()

    @property
    def workspace_path(self) -> Path:
        """WORKSPACE_DIR, expanded."""
        return (self.workspace_dir or self.data_path / "workspaces").expanduser()

    @property
    def anchor_path(self) -> Path:
        """AUDIT_ANCHOR_FILE, or this node's file in DATA_DIR/anchors."""
        name = f"{self.node_id or 'seals'}.jsonl"
        return (self.audit_anchor_file or self.data_path / "anchors" / name).expanduser()

    def anchor_files(self) -> list[Path]:
        """Those there are now: the one of AUDIT_ANCHOR_FILE, or of each node in DATA_DIR/anchors.

        What else lies beside AUDIT_ANCHOR_FILE is somebody else's.
        """
        path = self.anchor_path
        if self.audit_anchor_file is not None:
            return [path] if path.exists() else []
        return sorted(path.parent.glob("*.jsonl"))

    @property
    def effective_database_url(self) -> str:
        """DATABASE_URL, or SQLite in DATA_DIR."""
        return self.database_url or f"sqlite:///{self.data_path / 'homeport.db'}"
