"""Why a signed request is refused, in the words of S3."""

from rota.core.errors import RotaError


class StorageRefused(RotaError):
    """`word` is S3's error code, `status` that of HTTP (Amazon S3 API reference, "Error responses")."""

    code = "storage_refused"

    def __init__(self, word: str, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.word = word
        self.status = status
