"""Text in another encoding than UTF-8, as UTF-8, block by block."""

import codecs
import io
from typing import Any

from data.sniffing import UnreadableFile

_BLOCK = 1 << 22
_WINDOWS = ("Windows-1252", "mixed UTF-8 and Windows-1252")


def is_utf8(stream: Any) -> bool:
    """Whether all bytes of the stream are UTF-8."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        while block := stream.read(_BLOCK):
            decoder.decode(block)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


def recoded_start(stream: Any, encoding: str, name: str, size: int) -> tuple[str, str]:
    """The first `size` characters, and what the encoding is: of bytes that are not UTF-8, Windows-1252, or both mixed, as all of them tell."""
    if encoding.startswith(("UTF-16", "UTF-32")):
        return Recoded(stream, encoding, name).text(size), encoding
    start, invalid, foreign = "", 0, 0
    codecs.register_error("windows-1252", _as_windows_1252)
    text = codecs.getincrementaldecoder("utf-8-sig")("windows-1252")
    valid = codecs.getincrementaldecoder("utf-8")("ignore")
    while True:
        block = stream.read(_BLOCK)
        told = text.decode(block, final=not block)
        start += told[: max(0, size - len(start))]
        invalid += len(block) - len(valid.decode(block, final=not block).encode())
        foreign += len(told) - len(told.encode("ascii", errors="ignore"))
        if not block:
            return start, _WINDOWS[foreign > invalid]


class Recoded(io.RawIOBase):
    """A stream of bytes in `encoding`, read as UTF-8 without a byte order mark. Raises UnreadableFile where the text breaks off."""

    def __init__(self, source: Any, encoding: str, name: str) -> None:
        super().__init__()
        self._source_to_close = self._source = source
        self._encoding, self._name = encoding, name
        codecs.register_error("windows-1252", _as_windows_1252)
        known = ("utf-8-sig", "windows-1252") if encoding in _WINDOWS else (encoding, "strict")
        self._decoder = codecs.getincrementaldecoder(known[0])(known[1])
        self._left, self._read, self._begun = b"", 0, False

    def close(self) -> None:
        """Closes what it reads from, too."""
        self._source_to_close.close()
        super().close()

    def readable(self) -> bool:
        """Always."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fills the buffer as far as there is text; 0 at its end."""
        while len(self._left) < len(buffer) and self._source is not None:
            self._left += self._next().encode()
        told, self._left = self._left[: len(buffer)], self._left[len(buffer) :]
        buffer[: len(told)] = told
        return len(told)

    def text(self, size: int) -> str:
        """The first `size` characters."""
        found = ""
        while len(found) < size and self._source is not None:
            found += self._next()
        return found[:size]

    def _next(self) -> str:
        block = self._source.read(_BLOCK)
        try:
            found = self._decoder.decode(block, final=not block)
        except UnicodeDecodeError as error:
            at = self._read + error.start
            raise UnreadableFile(f"{self._name} begins as {self._encoding} text and breaks off at byte {at:,}. Export it again.") from None
        self._read += len(block)
        if not block:
            self._source = None
        text = found if self._begun else found.removeprefix("\ufeff")
        self._begun = self._begun or bool(found)
        return text


def _as_windows_1252(error: UnicodeError) -> tuple[str, int]:
    """Bytes that are not UTF-8 are read as Windows-1252, one by one, so that mixed files survive."""
    if not isinstance(error, UnicodeDecodeError):
        raise error
    wrong = error.object[error.start : error.end]
    return "".join(bytes([byte]).decode("cp1252", errors="replace") for byte in wrong), error.end
