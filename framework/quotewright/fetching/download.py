"""Downloads that go on where they stopped, are checked, and are put in place whole."""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final

import attrs

from quotewright.errors import InputError, NotFoundError, QuotewrightError
from quotewright.fetching.client import HttpClient, shown_url
from quotewright.fetching.manifest import PART, Entry, Manifest, safe_path
from quotewright.fetching.retry import FetchError
from quotewright.lazily import Lazily

if TYPE_CHECKING:
    import httpx
else:
    httpx = Lazily("httpx")

FILE_LIMIT: Final = 64 << 30
CHECKSUM_LIMIT: Final = 4096
RESUMED: Final = frozenset({206, 416})
_HEX: Final = frozenset("0123456789abcdef")


@attrs.frozen(kw_only=True)
class Item:
    """One file to be fetched: *name* below the output folder.

    *checksum_url* is where its SHA-256 stands in the manner of ``sha256sum``. *write* makes the file's content out of
    any number of answers where the service has no such file; such a file is begun anew when it breaks off.
    """

    name: str
    url: str
    checksum_url: str = ""
    write: Callable[[HttpClient, IO[bytes]], None] | None = None


@attrs.frozen(kw_only=True)
class Result:
    """What became of one item: ``fetched``, ``there`` already, ``absent`` at the service, or ``failed``."""

    item: Item
    state: str
    bytes: int = 0
    error: QuotewrightError | None = None


class Downloader:
    """Fetches items into one folder, *jobs* at a time.

    Args:
        folder: Made if it is not there; ``manifest.json`` in it tells what is complete.
        client: How the service is asked.
        jobs: How many files at a time.
        replace: Fetch files anew whose remote original has changed; without it they are an error.
        limit: Largest file.
        progress: Called with an item, the bytes so far and the bytes expected (0: not told), from any thread.
    """

    def __init__(
        self,
        folder: Path,
        client: HttpClient,
        *,
        jobs: int = 4,
        replace: bool = False,
        limit: int = FILE_LIMIT,
        progress: Callable[[Item, int, int], None] | None = None,
    ) -> None:
        if not 1 <= jobs <= 32:
            raise InputError(f"jobs should be 1 to 32, was {jobs}")
        self.folder = folder
        self.client = client
        self.jobs = jobs
        self.replace = replace
        self.limit = limit
        self.progress = progress or (lambda item, done, total: None)
        folder.mkdir(parents=True, exist_ok=True)
        self.manifest = Manifest(folder)
        self._taken: set[Path] = set()
        self._lock = threading.Lock()

    def run(self, items: Iterable[Item]) -> list[Result]:
        """Fetch *items* and return what became of each, in their order; a failure stops none of the others."""
        results: dict[int, Result] = {}
        pending: dict[Future[Result], int] = {}
        pool = ThreadPoolExecutor(self.jobs, thread_name_prefix="fetch")
        try:
            for number, item in enumerate(items):
                # No more are taken from *items* than are worked on: it may be a long generator.
                while len(pending) >= 2 * self.jobs:
                    self._collect(pending, results)
                pending[pool.submit(self.fetch, item)] = number
            while pending:
                self._collect(pending, results)
        except BaseException:
            self.client.is_stopped.set()
            for future in pending:
                future.cancel()
            raise
        finally:
            pool.shutdown(wait=True)
        return [results[number] for number in sorted(results)]

    @staticmethod
    def _collect(pending: dict[Future[Result], int], results: dict[int, Result]) -> None:
        done, _ = wait(pending, return_when=FIRST_COMPLETED)
        for future in done:
            results[pending.pop(future)] = future.result()

    def fetch(self, item: Item) -> Result:
        """Fetch one item."""
        try:
            path = safe_path(self.folder, item.name)
            with self._lock:
                if path in self._taken:
                    raise InputError(f"{item.name} is to be fetched twice; two things have one name")
                self._taken.add(path)
            path.parent.mkdir(parents=True, exist_ok=True)
            if self._is_there(item, path):
                return Result(item=item, state="there", bytes=path.stat().st_size)
            entry = self._made(item, path) if item.write is not None else self._downloaded(item, path)
            self.manifest.keep(item.name, entry)
            return Result(item=item, state="fetched", bytes=entry.bytes)
        except NotFoundError as error:
            return Result(item=item, state="absent", error=error)
        except QuotewrightError as error:
            return Result(item=item, state="failed", error=error)
        except OSError as error:
            return Result(item=item, state="failed", error=FetchError(f"{item.name}: {error.strerror or error}"))

    def _is_there(self, item: Item, path: Path) -> bool:
        """Return whether the file is here, whole, and still what the service has."""
        known = self.manifest.files.get(item.name)
        if known is None or not known.is_complete or not path.is_file():
            return False
        if path.stat().st_size != known.bytes or _sha256(path) != known.sha256:
            return False  # damaged here: fetched again
        if item.write is not None or known.url != item.url:
            return known.url == item.url
        now = self.client.tried(item.url, _validators, also=frozenset({405, 501}), method="HEAD")
        is_same = now is None or (
            (not known.etag or not now.etag or now.etag == known.etag)
            and (not known.modified or not now.modified or now.modified == known.modified)
            and now.bytes in (-1, known.bytes)
        )
        if not is_same and not self.replace:
            raise InputError(
                f"{item.name}: {shown_url(self.client.url(item.url))} has changed since it was fetched "
                f"({known.bytes} bytes {known.etag or known.modified}, now {now.bytes} {now.etag or now.modified}); "
                "keep what is here, or fetch it anew with --replace"
            )
        return bool(is_same)

    def _downloaded(self, item: Item, path: Path) -> Entry:
        part = path.with_name(path.name + PART)
        known = self.manifest.files.get(item.name)
        state = _Part(self, item, part)
        if part.exists() and known is not None and known.url == item.url and not known.is_complete:
            state.begun = known
        else:
            part.unlink(missing_ok=True)
        self.client.tried(item.url, state.take, None, state.headers, RESUMED, counts=True)
        digest = _sha256(part)
        if item.checksum_url:
            self._compare(item, part, digest)
        entry = attrs.evolve(state.begun, bytes=part.stat().st_size, sha256=digest, is_complete=True)
        part.replace(path)
        return entry

    def _compare(self, item: Item, part: Path, digest: str) -> None:
        text = self.client.get(item.checksum_url, limit=CHECKSUM_LIMIT).body.decode("ascii", "replace")
        stated = text.split()[0].lower() if text.split() else ""
        if len(stated) != 64 or not set(stated) <= _HEX:
            raise InputError(f"{item.name}: {shown_url(item.checksum_url)} should hold a SHA-256, was {text[:60]!r}")
        if stated != digest:
            part.unlink()
            raise InputError(
                f"{item.name}: its SHA-256 should be {stated}, is {digest}; what was fetched is thrown away: "
                "fetch it again"
            )

    def _made(self, item: Item, path: Path) -> Entry:
        assert item.write is not None
        part = path.with_name(path.name + PART)
        with part.open("wb") as file:
            item.write(self.client, file)
            file.flush()
            os.fsync(file.fileno())
        entry = Entry(url=item.url, bytes=part.stat().st_size, sha256=_sha256(part), is_complete=True)
        part.replace(path)
        return entry


class _Part:
    """The beginning of a file: what is there, and how an answer goes on with it."""

    def __init__(self, owner: Downloader, item: Item, path: Path) -> None:
        self.owner = owner
        self.item = item
        self.path = path
        self.begun = Entry(url=item.url)

    def headers(self) -> dict[str, str]:
        """Return the headers of the next try: the rest, if it is still the same file."""
        size = self.path.stat().st_size if self.path.exists() else 0
        token = self.begun.etag if self.begun.etag and not self.begun.etag.startswith("W/") else self.begun.modified
        # What a service packs on its way has no lasting length: only the file itself is asked for.
        headers = {"accept-encoding": "identity"}
        if size and token:
            headers |= {"range": f"bytes={size}-", "if-range": token}
        return headers

    def take(self, response: httpx.Response) -> None:
        size = self.path.stat().st_size if self.path.exists() else 0
        if response.status_code == 416:
            stated = response.headers.get("content-range", "").rpartition("/")[2]
            if stated.isdigit() and int(stated) == size:
                return
            self.path.unlink(missing_ok=True)
            raise httpx.RemoteProtocolError("the rest that was asked for is not there; begun anew")
        is_rest = response.status_code == 206
        if is_rest and not response.headers.get("content-range", "").startswith(f"bytes {size}-"):
            self.path.unlink(missing_ok=True)
            raise httpx.RemoteProtocolError("another part came than was asked for; begun anew")
        found = _validators(response)
        if not is_rest:
            size = 0
            self.begun = Entry(url=self.item.url, etag=found.etag, modified=found.modified)
            self.owner.manifest.keep(self.item.name, self.begun)
        total = size + found.bytes if found.bytes >= 0 else 0
        if total > self.owner.limit:
            raise InputError(f"{self.item.name} should have at most {self.owner.limit} bytes, has {total}")
        with self.path.open("ab" if is_rest else "wb") as file:
            for piece in response.iter_raw():
                if self.owner.client.is_stopped.is_set():
                    raise FetchError(f"{self.item.name}: stopped")
                size += len(piece)
                if size > self.owner.limit:
                    raise InputError(f"{self.item.name} should have at most {self.owner.limit} bytes, has more")
                file.write(piece)
                self.owner.progress(self.item, size, total)
        if total and size != total:
            raise httpx.RemoteProtocolError(f"the answer ended after {size} of {total} bytes")


@attrs.frozen
class _Validators:
    etag: str
    modified: str
    bytes: int


def _validators(response: httpx.Response) -> Any:
    """Return what tells one state of a remote file from another; None if the service does not say."""
    if response.status_code in (405, 501):
        return None
    length = response.headers.get("content-length", "")
    return _Validators(
        response.headers.get("etag", ""),
        response.headers.get("last-modified", ""),
        int(length) if length.isdigit() else -1,
    )


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
