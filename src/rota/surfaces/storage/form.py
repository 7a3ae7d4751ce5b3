"""Reads an upload form as it comes: small fields first, then one file that is never held in memory."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from rota.blobs import StorageRefused
from rota.blobs.incoming import Incoming

if TYPE_CHECKING:
    from python_multipart.multipart import MultipartCallbacks

FILE = "file"
# As S3: all fields together, without the file.
MOST_FIELD_BYTES = 20_000
MOST_FIELDS = 50


class FormReader:
    """`begin` is asked where the file goes once the fields before it are known. It blocks, so it works in a thread.

    Raises StorageRefused for what is not such a form, and what `begin` and the file raise.
    """

    def __init__(self, content_type: bytes, begin: Callable[[Mapping[str, str]], Incoming]) -> None:
        kind, options = parse_options_header(content_type)
        if kind.lower() != b"multipart/form-data" or not options.get(b"boundary"):
            raise StorageRefused("PreconditionFailed", "Bucket POST must be of the enclosure-type multipart/form-data", 412)
        self._begin = begin
        self._fields: dict[str, str] = {}
        self._name: str | None = None
        self._value = bytearray()
        self._field_bytes = 0
        self._header, self._header_value = b"", b""
        self._file: Incoming | None = None
        self._is_whole = False
        self._parser = _parser(options[b"boundary"], self._callbacks())

    def feed(self, data: bytes) -> None:
        try:
            self._parser.write(data)
        except FormParserError as error:
            raise _malformed() from error

    def finish(self) -> None:
        """The object is there when this returns."""
        if not self._is_whole:
            raise _malformed()
        if self._file is None:
            raise StorageRefused("InvalidArgument", "POST requires exactly one file upload per request.")
        self._file.finish()

    def abort(self) -> None:
        """Leave nothing behind that did not finish."""
        if self._file is not None:
            self._file.abort()

    def _callbacks(self) -> "MultipartCallbacks":
        return {
            "on_part_begin": self._on_part,
            "on_header_field": self._on_header,
            "on_header_value": self._on_header_value,
            "on_header_end": self._on_header_end,
            "on_headers_finished": self._on_headers,
            "on_part_data": self._on_data,
            "on_part_end": self._on_part_end,
            "on_end": self._on_end,
        }

    def _on_part(self) -> None:
        if self._file is not None:
            raise StorageRefused("InvalidArgument", "The file must be the last field of the form.")
        if len(self._fields) >= MOST_FIELDS:
            raise _too_long()
        self._name, self._value = None, bytearray()

    def _on_header(self, data: bytes, start: int, end: int) -> None:
        self._header += data[start:end]

    def _on_header_value(self, data: bytes, start: int, end: int) -> None:
        self._header_value += data[start:end]

    def _on_header_end(self) -> None:
        if self._header.lower() == b"content-disposition":
            _, options = parse_options_header(self._header_value)
            self._name = options.get(b"name", b"").decode("utf-8", "replace")
        self._header, self._header_value = b"", b""

    def _on_headers(self) -> None:
        if not self._name or self._name in self._fields:
            raise _malformed()
        if self._name.lower() == FILE:
            self._file = self._begin(self._fields)

    def _on_data(self, data: bytes, start: int, end: int) -> None:
        if self._file is not None:
            self._file.write(memoryview(data)[start:end])
            return
        self._field_bytes += end - start
        if self._field_bytes > MOST_FIELD_BYTES:
            raise _too_long()
        self._value += data[start:end]

    def _on_part_end(self) -> None:
        if self._file is None and self._name is not None:
            self._fields[self._name] = self._value.decode("utf-8", "replace")

    def _on_end(self) -> None:
        self._is_whole = True


def _parser(boundary: bytes, callbacks: "MultipartCallbacks") -> MultipartParser:
    try:
        return MultipartParser(boundary, callbacks)
    except FormParserError as error:
        raise _malformed() from error


def _malformed() -> StorageRefused:
    return StorageRefused("MalformedPOSTRequest", "The body of your POST request is not well-formed multipart/form-data.")


def _too_long() -> StorageRefused:
    return StorageRefused(
        "MaxPostPreDataLengthExceededError", "Your POST request fields preceding the upload file were too large."
    )
