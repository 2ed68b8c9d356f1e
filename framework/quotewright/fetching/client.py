"""The HTTP client of all downloads: no proxy from the environment, bounded answers, retries by one policy."""

from __future__ import annotations

import random
import threading
import time
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

import attrs
import msgspec

from quotewright.errors import InputError
from quotewright.fetching.retry import Backoff, FetchError, Key, RetryPolicy, outcome, refusal, retry_after_s
from quotewright.lazily import Lazily

if TYPE_CHECKING:
    import httpx
else:
    httpx = Lazily("httpx")

BODY_LIMIT: Final = 256 << 20
TEXT_LIMIT: Final = 64 << 10
GZIP_MAGIC: Final = b"\x1f\x8b"
ZSTD_MAGIC: Final = b"\x28\xb5\x2f\xfd"

_JSON: Final = msgspec.json.Decoder(float_hook=Decimal)


@attrs.frozen
class Answer:
    """A good answer, unpacked; header names in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """Return the decoded body; numbers with a fraction keep their text as Decimal."""
        try:
            return _JSON.decode(self.body)
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
            raise InputError(f"the answer should be JSON ({error}), was {self.body[:60]!r}") from None


class HttpClient:
    """Asks one service, from any number of threads.

    Args:
        key: Sent as ``Authorization: Bearer`` to the host of *base_url* alone; never shown.
        policy, seed, sleep: How failures are waited for; tests pass a sleep that returns at once.
        transport: Another way to the server than a socket.
        timeout_s: Longest time for connecting, and between two pieces of an answer.
    """

    def __init__(
        self,
        base_url: str,
        *,
        key: Key | None = None,
        policy: RetryPolicy | None = None,
        seed: int = 0,
        sleep: Callable[[float], object] = time.sleep,
        transport: httpx.BaseTransport | None = None,
        timeout_s: float = 30.0,
    ) -> None:
        self.base_url = base_url.rstrip("/")
        if httpx.URL(self.base_url).scheme not in ("http", "https"):
            raise InputError(f"an address should begin with https:// or http://, was '{shown_url(base_url)}'")
        self.key = key
        self.policy = policy or RetryPolicy()
        self._chance = random.Random(seed)
        self._sleep = sleep
        self._client = httpx.Client(
            trust_env=False,
            timeout=timeout_s,
            follow_redirects=True,
            max_redirects=5,
            transport=transport,
            headers={"user-agent": "quotewright", "accept-encoding": "gzip"},
            limits=httpx.Limits(max_connections=32),
        )
        self.is_stopped = threading.Event()

    def url(self, path: str) -> str:
        """Return the address of *path*, which may be an address by itself."""
        return path if "://" in path else f"{self.base_url}/{path.lstrip('/')}"

    def get(self, path: str, params: Mapping[str, str] | None = None, limit: int = BODY_LIMIT) -> Answer:
        """Return the whole answer, unpacked; more than *limit* bytes raise InputError."""
        answer: Answer = self.tried(path, lambda response: _whole(response, limit), params)
        return answer

    def tried(
        self,
        path: str,
        use: Callable[[httpx.Response], Any],
        params: Mapping[str, str] | None = None,
        headers: Callable[[], Mapping[str, str]] = dict,
        also: frozenset[int] = frozenset(),
        counts: bool = False,
        method: str = "GET",
    ) -> Any:
        """Return what *use* makes of a good answer, asking again as the policy says.

        Args:
            path: Below the base address, or an address.
            use: Reads the answer; an answer that breaks off while it reads is asked for again.
            params: Of the query.
            headers: Made anew for each try, so that a download goes on where it stopped.
            also: Statuses that *use* wants to see besides successes.
            counts: Tell the service from the second try on which one it is (``retryAttempt``).
            method: The HTTP method.

        Raises:
            FetchError, QuotaError: given up.
            ConfigError, NotFoundError, InputError: a final answer.
        """
        url = self.url(path)
        backoff = Backoff(self.policy, self._chance, self._sleep)
        where = shown_url(url)
        attempt = 0
        while True:
            attempt += 1
            if self.is_stopped.is_set():
                raise FetchError(f"{where}: stopped")
            query = dict(params or {})
            if counts and attempt > 1:
                query["retryAttempt"] = str(attempt - 1)
            asked_s: float | None = None
            try:
                with self._open(method, url, query, headers()) as response:
                    status = response.status_code
                    if outcome(status) == "good" or status in also:
                        return use(response)
                    said = _said(response)
                    what = f"{where} answers {status}" + (f": {said}" if said else "")
                    if outcome(status) == "final":
                        raise refusal(status, where, said, self.key)
                    asked_s = retry_after_s(response.headers)
            except httpx.TooManyRedirects as error:
                raise FetchError(f"{where} leads from one address to the next: {error}") from None
            except httpx.TransportError as error:
                what = f"{where}: {type(error).__name__} {str(error)[:200]}".rstrip()
            backoff.pause(attempt, asked_s, what)

    @contextmanager
    def _open(
        self, method: str, url: str, query: dict[str, str], headers: Mapping[str, str]
    ) -> Iterator[httpx.Response]:
        sent = dict(headers)
        target = httpx.URL(url).copy_merge_params(query) if query else httpx.URL(url)
        own = httpx.URL(self.base_url)
        if self.key and (target.scheme, target.host, target.port) == (own.scheme, own.host, own.port):
            sent["authorization"] = f"Bearer {self.key.value}"
        with self._client.stream(method, target, headers=sent) as response:
            yield response

    def close(self) -> None:
        self._client.close()

    def __enter__(self) -> HttpClient:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def shown_url(url: str) -> str:
    """Return *url* as it may be shown: without user, password and query."""
    try:
        parsed = httpx.URL(url)
    except (httpx.InvalidURL, ValueError):
        return "?"
    host = f"{parsed.host}:{parsed.port}" if parsed.port else parsed.host
    return f"{parsed.scheme}://{host}{parsed.path}"[:200]


def _whole(response: httpx.Response, limit: int) -> Answer:
    headers = {name.lower(): value for name, value in response.headers.items()}
    return Answer(response.status_code, headers, b"".join(pieces(response, limit)))


def _said(response: httpx.Response) -> str:
    """Return what an error's body says, in one bounded line."""
    try:
        body = b"".join(pieces(response, TEXT_LIMIT))
    except (InputError, httpx.TransportError):
        return ""
    try:
        told = msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        text = "" if body[:1] == b"<" else body.decode("utf-8", "replace")
    else:
        text = str(told)
        if isinstance(told, dict):
            text = next((str(told[name]) for name in ("message", "error", "detail", "retMsg") if told.get(name)), text)
    return " ".join("".join(sign if sign.isprintable() else " " for sign in text).split())[:200]


def pieces(response: httpx.Response, limit: int) -> Iterator[bytes]:
    """Yield an answer's body, unpacked if it is gzip whether its header says so or not; bounded by *limit*.

    Raises:
        InputError: the body is larger, damaged, or packed in a way that was not asked for.
    """
    where = shown_url(str(response.url))
    stated = response.headers.get("content-length", "")
    if stated.isdigit() and int(stated) > limit:
        raise InputError(f"{where}: the answer should have at most {limit} bytes, has {stated}")
    unpacker: _Gunzip | None = None
    total = 0
    is_first = True
    for raw in response.iter_raw():
        if is_first and raw:
            is_first = False
            if raw[:2] == GZIP_MAGIC:
                unpacker = _Gunzip(where)
            elif raw[:4] == ZSTD_MAGIC or response.headers.get("content-encoding", "identity") not in ("identity", ""):
                raise InputError(f"{where}: the answer is packed in another way than gzip, which was asked for")
        for piece in unpacker.pieces(raw) if unpacker is not None else (raw,):
            total += len(piece)
            if total > limit:
                raise InputError(f"{where}: the answer should have at most {limit} bytes, has more once unpacked")
            yield piece
    if unpacker is not None and not unpacker.is_whole:
        raise httpx.RemoteProtocolError("the answer's gzip data end too early")


class _Gunzip:
    """Unpacks gzip data, any number of members, in pieces of at most a megabyte."""

    def __init__(self, where: str) -> None:
        self.where = where
        self.unpack = zlib.decompressobj(31)
        self.is_whole = False

    def pieces(self, raw: bytes) -> Iterator[bytes]:
        rest = raw
        while rest:
            if self.is_whole:
                self.unpack, self.is_whole = zlib.decompressobj(31), False
            try:
                piece = self.unpack.decompress(rest, 1 << 20)
            except zlib.error as error:
                raise InputError(f"{self.where}: the answer's gzip data are damaged ({error})") from None
            self.is_whole = self.unpack.eof
            rest = self.unpack.unused_data if self.is_whole else self.unpack.unconsumed_tail
            if piece:
                yield piece
