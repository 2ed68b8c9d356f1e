"""The control plane over HTTP: ``GET /book?symbol=…``, ``POST /place``; a bearer token, Host and Origin checked."""

from __future__ import annotations

import hmac
import inspect
import json
import logging
import typing
from collections.abc import Callable
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import msgspec

from quotewright.errors import NotFoundError, QuotewrightError
from quotewright_simexchange.doors import HttpResponse
from quotewright_simexchange.server.control import Control
from quotewright_simexchange.server.http import read_body, send_whole
from quotewright_simexchange.server.limits import ServerCounts, ServerLimits
from quotewright_simexchange.server.listener import Port, log

LOCAL_NAMES = ("localhost", "127.0.0.1", "::1")


def arguments_of(method: Callable[..., Any]) -> type[msgspec.Struct]:
    """Return a structure that JSON for *method* must fit: its arguments by name, with their types."""
    hints = typing.get_type_hints(method)
    fields: list[Any] = []
    for name, parameter in inspect.signature(method).parameters.items():
        if parameter.default is inspect.Parameter.empty:
            fields.append((name, hints[name]))
        else:
            fields.append((name, hints[name], parameter.default))
    return msgspec.defstruct(method.__name__, fields, forbid_unknown_fields=True, kw_only=True)


class ControlPort(Port):
    """The listening socket of the control plane."""

    def __init__(
        self, control: Control, token: str, limits: ServerLimits, counts: ServerCounts, names: tuple[str, ...] = ()
    ) -> None:
        super().__init__(limits, counts)
        self.control = control
        self.token = token.encode()
        self.names = {*LOCAL_NAMES, *(name for name in names if name)}
        self.commands = {
            name: (method, str(getattr(method, "verb", "")), arguments_of(method))
            for name, method in control.commands().items()
        }

    def application(self) -> Any:
        return self.serve

    async def serve(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer one request."""
        self.stamp()
        body = await read_body(scope, receive, self.limits.body)
        if body is None:
            self.counts.large_bodies += 1
            response = failure(413, f"the body should have at most {self.limits.body} bytes")
            await send_whole(send, response, (b"connection", b"close"))
            return
        try:
            response = self.answer(scope, body)
        except Exception as error:
            self.counts.errors += 1
            log.exception("control: %s raised", scope["path"])
            response = failure(500, f"{type(error).__name__}: {error}")
        await send_whole(send, response, (b"cache-control", b"no-store"))

    def connect(self, *told: object) -> HttpResponse:
        """Refuse a WebSocket."""
        return failure(404, "the control plane has no WebSocket; use GET and POST")

    def failed(self, what: str) -> None:
        self.counts.errors += 1
        log.exception("control: %s raised", what)

    def answer(self, scope: Any, body: bytes) -> HttpResponse:
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        if refused := self.refusal(scope["method"], headers):
            return refused
        name = scope["path"].strip("/")
        if name == "":
            return success({one: verb for one, (_, verb, _) in self.commands.items()})
        found = self.commands.get(name)
        if found is None:
            return failure(404, f"no control {name[:80]!r}; GET / lists them")
        method, verb, arguments = found
        if scope["method"] != verb:
            return failure(405, f"{name} should be asked for with {verb}, was {scope['method']}")
        try:
            if verb == "GET":
                told = dict(parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True))
                given = msgspec.convert(told, arguments, strict=False)
            else:
                given = msgspec.json.decode(body or b"{}", type=arguments)
        except (msgspec.ValidationError, msgspec.DecodeError, RecursionError) as error:
            return failure(400, f"{name}: {error}")
        try:
            return success(method(**{field: getattr(given, field) for field in given.__struct_fields__}))
        except NotFoundError as error:
            return failure(404, str(error))
        except (QuotewrightError, ValueError, ArithmeticError) as error:
            return failure(400, str(error) or type(error).__name__)

    def refusal(self, method: str, headers: dict[str, str]) -> HttpResponse | None:
        """Return why a request is not looked at, None if it is."""
        host = headers.get("host", "")
        if not self.is_own(host):
            return failure(403, f"Host should be this server's address, was {host[:80]!r}")
        origin = headers.get("origin")
        if origin is not None and (urlsplit(origin).netloc != host or not self.is_own(urlsplit(origin).netloc)):
            return failure(403, f"Origin should be this server's own, was {origin[:80]!r}")
        scheme, _, told = headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not hmac.compare_digest(told.strip().encode("latin-1"), self.token):
            return failure(401, "Authorization should be: Bearer, and the token that exchange serve printed")
        if method == "POST" and headers.get("content-type", "").partition(";")[0].strip() != "application/json":
            return failure(415, "Content-Type should be application/json")
        return None

    def is_own(self, netloc: str) -> bool:
        """Return whether *netloc* is an address of this port."""
        try:
            parts = urlsplit(f"//{netloc}")
            return parts.hostname in self.names and parts.port == self.address[1] and parts.username is None
        except ValueError:
            return False


def success(told: object) -> HttpResponse:
    return HttpResponse(200, encode(told))


def failure(status: int, why: str) -> HttpResponse:
    headers = {"WWW-Authenticate": "Bearer"} if status == 401 else {}
    return HttpResponse(status, encode({"error": why}), headers)


def encode(told: object) -> bytes:
    return json.dumps(told, default=_as_text).encode()


def _as_text(value: object) -> str:
    if isinstance(value, Decimal):
        return format(value, "f")
    raise TypeError(f"{type(value).__name__} cannot be told as JSON")


logging.getLogger("quotewright.exchange").addHandler(logging.NullHandler())
