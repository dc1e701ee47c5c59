"""`leadscore keys`: API keys, of which only a hash is kept."""

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from data.contract import format_instant
from data.store import open_store


def create(scopes: Sequence[str], owner: str | None, name: str) -> int:
    """Prints the secret on standard output, alone, so that a script can keep it."""
    with open_store() as store:
        secret, key = store.create_key(scopes, owner, name)
    Console(stderr=True).print(f"Key {key.id} ({', '.join(sorted(key.scopes))}). It is shown this once and not kept; keep it safe:")
    Console(highlight=False, soft_wrap=True).print(secret)
    return 0


def list_all() -> int:
    """Every key, living or not, without its secret."""
    table = Table(box=None, header_style="bold", pad_edge=False)
    for column in ("id", "begins with", "scopes", "owner", "name", "created", "last used", "revoked"):
        table.add_column(column)
    with open_store() as store:
        keys = store.list_keys()
    for k in keys:
        times = [format_instant(t)[:19] if t else "" for t in (k.created_at, k.last_used_at, k.revoked_at)]
        table.add_row(str(k.id), k.prefix, " ".join(sorted(k.scopes)), k.owner or "", k.name, *times)
    Console().print(table if keys else "No key yet: `leadscore keys create` makes one. Until then the service answers on this machine only.")
    return 0


def revoke(id_: int) -> int:
    """Ends a key."""
    with open_store() as store:
        store.revoke_key(id_)
    Console().print(f"Key {id_} is revoked.")
    return 0
