"""The one move that changes who serves, for the whole funnel, and the one that takes it back."""

from data.store import Store
from registry import tracking
from registry.bundle import Bundle


def promote(store: Store, version: str, reason: str) -> None:
    """Makes a registered version the champion: its bytes and the pointer go to the operational store, where serving finds them, then the alias
    moves. Stopped in between, the store is right and the next move sets the alias."""
    content = tracking.bundle_bytes(version)
    store.put_bundle(version, Bundle.from_bytes(content).hash, content)
    store.promote(version, reason)
    tracking.move_alias(version)


def rollback(store: Store) -> str:
    """Back to the champion before; returns its version."""
    version = store.rollback()
    tracking.move_alias(version)
    return version
