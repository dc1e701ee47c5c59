"""How the values of a lead or an account change: the current ones, and the history of each that ever changed."""

from collections.abc import Mapping
from dataclasses import dataclass, field

History = dict[int, str | None]
"""The value of one field from each instant on (micros)."""


@dataclass(slots=True)
class Held:
    """What is held on one object. `since`: from when on a value without a history counts; `ingested_at`: since when the store has it.

    `written`: the changes to store, {(field, instant): (value, since when the store knows it, None for since now)}.
    """

    id: str
    values: dict[str, str]
    since: int
    ingested_at: int
    histories: dict[str, History] = field(default_factory=dict)
    written: dict[tuple[str, int], tuple[str | None, int | None]] = field(default_factory=dict)

    def put(self, sent: Mapping[str, str | None], at: int) -> bool:
        """Take in the values as they were from `at` on; whether that told anything new."""
        told = False
        for name, value in sent.items():
            if value != self.values.get(name) or self._is_earlier(name, at):
                told |= self._change(name, value, at)
        return told

    def settle(self) -> bool:
        """The latest entry of every history becomes the current value; whether one was another."""
        moved = [name for name in self.histories if self._settle(name)]
        return bool(moved)

    def _is_earlier(self, name: str, at: int) -> bool:
        history = self.histories.get(name)
        return history is not None and len(history) > 0 and at < max(history)

    def _change(self, name: str, value: str | None, at: int) -> bool:
        history = self.histories.get(name, {})
        if not history and name in self.values:
            self._write(name, self.since, self.values[name], self.ingested_at)
            history = self.histories[name]
        before = [then for then in history if then <= at]
        if before and history[max(before)] == value:
            return self._settle(name)
        self._write(name, at, value)
        self._settle(name)
        return True

    def _write(self, name: str, at: int, value: str | None, known_since: int | None = None) -> None:
        self.histories.setdefault(name, {})[at] = value
        self.written[name, at] = (value, known_since)

    def _settle(self, name: str) -> bool:
        """The latest value of the history becomes the current one; whether it was another."""
        history = self.histories[name]
        latest = history[max(history)]
        moved = latest != self.values.get(name)
        if latest is None:
            self.values.pop(name, None)
        else:
            self.values[name] = latest
        return moved


def merged(into: Held, other: Held, now: int) -> None:
    """`into` takes in the values of `other`, whose history is stored as its own already: its own values stay, gaps are filled.

    What either held without a history and the other contradicts becomes history, and the value that stays is its end.
    """
    for name in sorted({*into.values, *other.values, *into.histories, *other.histories}):
        ours, theirs = into.values.get(name), other.values.get(name)
        stays = ours if ours is not None or name in into.histories else theirs
        if name in into.histories or name in other.histories or (None not in (ours, theirs) and ours != theirs):
            both: dict[int, tuple[str | None, int | None]] = {}
            for held in (other, into):
                standing = {held.since: (held.values[name], held.ingested_at)} if name in held.values else {}
                both |= {at: (value, None) for at, value in held.histories[name].items()} if name in held.histories else standing
            if both[max(both)][0] != stays:
                both[max(now, *both)] = (stays, None)
            stored = {**other.histories.get(name, {}), **into.histories.get(name, {})}
            into.written |= {(name, at): entry for at, entry in both.items() if at not in stored or stored[at] != entry[0]}
        if stays is not None:
            into.values[name] = stays
