"""How a record stands in a file of the spool, and how it is found there whatever tore the file.

A record is `magic, length, crc32` and the payload: `length of the told part, the told part (JSON), the features (float32)`.
"""

import struct
from typing import NamedTuple
from zlib import crc32

import orjson

from data.ledger import ScoreRecord

_MAGIC = b"\xf5LS\x01"
_HEAD = struct.Struct("<4sII")
_TOLD = struct.Struct("<I")


def packed(record: ScoreRecord) -> bytes:
    """The record as it stands in a file."""
    return framed(orjson.dumps(record[:-1]), record.features)


def framed(told: bytes, features: bytes) -> bytes:
    payload = b"".join((_TOLD.pack(len(told)), told, features))
    return _HEAD.pack(_MAGIC, len(payload), crc32(payload, len(payload))) + payload


class Content(NamedTuple):
    """What a file holds: its whole records in order, and the pieces that are none."""

    records: list[ScoreRecord]
    torn: list[bytes]


def unpacked(content: bytes) -> Content:
    """Reads on behind a damaged piece at the next whole record; never raises."""
    found = Content([], [])
    at = read = 0
    while at < len(content):
        record, end = _record(content, at)
        if record is None:
            at = _next_magic(content, at + 1)
            continue
        if read < at:
            found.torn.append(content[read:at])
        found.records.append(record)
        at = read = end
    if read < len(content):
        found.torn.append(content[read:])
    return found


def _record(content: bytes, at: int) -> tuple[ScoreRecord | None, int]:
    """The whole record that begins at `at`, or None where there is none, and where it ends."""
    start = at + _HEAD.size
    if start > len(content):
        return None, at
    magic, length, check = _HEAD.unpack_from(content, at)
    payload = content[start : start + length]
    if magic != _MAGIC or len(payload) < length or crc32(payload, length) != check:
        return None, at
    try:
        (told,) = _TOLD.unpack_from(payload)
        fields = orjson.loads(payload[_TOLD.size : _TOLD.size + told])
        return ScoreRecord._make([*fields, payload[_TOLD.size + told :]]), start + length
    except (struct.error, ValueError, TypeError):
        return None, at


def _next_magic(content: bytes, at: int) -> int:
    found = content.find(_MAGIC, at)
    return len(content) if found < 0 else found
