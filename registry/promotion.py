"""The one move that changes who serves, for the whole funnel, and the one that takes it back."""

from data.home import clock
from data.pending import after_promotion
from data.store import Store
from registry import tracking
from registry.bundle import Bundle


def promote(store: Store, version: str, reason: str) -> None:
    """Makes a registered version the champion: its bytes and the pointer go to the operational store, where serving finds them, every lead is marked
    to be scored again, then the alias moves. Stopped in between, the store is right, `follow` sets the alias, and the night marks the leads."""
    offer(store, version)
    store.promote(version, reason)
    after_promotion(store, clock())
    tracking.move_alias(version)


def offer(store: Store, version: str) -> None:
    """Puts a registered version into the store without letting it serve: from then on it can be promoted where there is no MLflow."""
    content = tracking.bundle_bytes(version)
    store.put_bundle(version, Bundle.from_bytes(content).hash, content)


def rollback(store: Store) -> str:
    """Back to the champion before, and every lead marked to be scored again; returns its version."""
    version = store.rollback()
    after_promotion(store, clock())
    follow(store)
    return version


def follow(store: Store) -> None:
    """Lets the alias name what serves: a promotion over HTTP moves the store's pointer only. A champion that the registry does not know is left."""
    champion = store.champion()
    known = {version.version: version.aliases for version in tracking.versions()}
    if champion is not None and tracking.CHAMPION not in known.get(champion[0], (tracking.CHAMPION,)):
        tracking.move_alias(champion[0])
