"""What one service is started with."""

from dataclasses import dataclass

from data.store import store_url


@dataclass(frozen=True)
class Settings:
    """Read once. `host` is the address listened on: it decides whether the service may be open while no key exists."""

    store_url: str
    host: str = "127.0.0.1"
    max_body_bytes: int = 10 * 1024 * 1024

    @classmethod
    def from_env(cls, host: str) -> "Settings":
        """The store of `LEADSCORE_DATABASE_URL`, else the one under LEADSCORE_HOME."""
        return cls(store_url(), host)
