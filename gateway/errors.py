"""Every breakdown the gateway knows, whose fault it is, and what the client is told.

    SluicegateError
    ├── ConfigurationError      the operator's: exit code 2, all problems at once
    ├── RequestRefused          the client's: 4xx, the connection may close
    ├── AppUnavailable          the app's: 502, 504 when it was slow, 503 when it is full
    ├── LegacyUnavailable       the legacy source's: 503 with Retry-After, never "wrong password"
    ├── StoreUnavailable        the store's: 503 with Retry-After
    └── Overloaded              ours: 503 with Retry-After

Expected answers ("wrong password", "no such user") are values, not errors: see `gateway.model`.
No text of these errors ever holds a value that a client, an operator or a database supplied as a secret.
"""

from collections.abc import Collection
from dataclasses import dataclass


class SluicegateError(Exception):
    """Is the root of all errors that the gateway raises on purpose."""

    status = 500
    retry_after: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One mistake in a configuration: where it stands, what is wrong, what to do. Never a value."""

    file: str
    line: int
    key: str
    message: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.key}: {self.message}"


class ConfigurationError(SluicegateError):
    """Names every mistake in a configuration at once."""

    def __init__(self, *problems: Problem | str) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = problems


class RequestRefused(SluicegateError):
    """Refuses a client's request: `status` is the 4xx, `reason` a sentence fit for the client.

    `allow` are the methods that the address does know, for a 405 (RFC 9110 15.5.6). `retry_after` is in seconds.
    """

    def __init__(self, status: int, reason: str, *, allow: Collection[bytes] = (),
                 retry_after: int | None = None) -> None:
        super().__init__(reason)
        self.status = status
        self.retry_after = retry_after
        self.reason = reason
        self.allow = allow


class AppUnavailable(SluicegateError):
    """Says that the app gave no usable answer: 502, 504 when it did not answer in time, 503 when it has no room."""

    def __init__(self, reason: str, *, status: int = 502, retry_after: int | None = None) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason
        self.retry_after = retry_after


class LegacyUnavailable(SluicegateError):
    """Says that a legacy source could not be asked, so nothing is known about the password."""

    status = 503
    retry_after = 5


class StoreUnavailable(SluicegateError):
    """Says that the store could not be read or written; nothing was changed, or it is unknown."""

    status = 503
    retry_after = 5


class Overloaded(SluicegateError):
    """Says that a bounded queue is full; the client may come back."""

    status = 503
    retry_after = 2
