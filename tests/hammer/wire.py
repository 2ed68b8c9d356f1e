"""A client's connections as a careful client has them: signed requests and frames, each with one of three outcomes."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import hmac
import json
import time
from collections.abc import Mapping
from typing import Any, Literal
from urllib.parse import urlencode

import attrs
import httpx
from picows import WSCloseCode, WSError, WSFrame, WSListener, WSMsgType, WSTransport, ws_connect

PATIENCE_S = 0.6
"""How long an answer is waited for."""
SILENCE_S = 1.0
"""A connection on which nothing came for so long is pinged, and given up if that is not answered."""
UNDECIDED = (-1006, -1007, -4116)
"""Codes by which the venue says that it does not know what became of a request, or that its id is there already."""

Outcome = Literal["accepted", "refused", "unknown"]


@attrs.frozen
class Answer:
    """What a client knows after a request. *unknown*: it may have been carried out or not."""

    outcome: Outcome
    body: Any = None
    retry_after: float = 0.0

    @property
    def code(self) -> int:
        return int(self.body.get("code", 0)) if isinstance(self.body, dict) and self.outcome == "refused" else 0


UNKNOWN = Answer("unknown")


def judged(status: int, body: Any, retry_after: str = "") -> Answer:
    """Return what an answer with *status* says."""
    waits = float(retry_after) if retry_after.isdigit() else 0.0
    if status == 200:
        return Answer("accepted", body)
    if 400 <= status < 500 and not (isinstance(body, dict) and is_undecided(body)):
        return Answer("refused", body, waits)
    return Answer("unknown", body, waits)


def is_undecided(body: dict[str, Any]) -> bool:
    """Return whether an error does not say what became of the request: no id is used twice here, so an id that is
    there already was brought by a frame that the network has doubled, and whose first answer it has lost."""
    return body.get("code") in UNDECIDED or body.get("msg") == "Duplicate order sent."


def signature(secret: str, text: str) -> str:
    return hmac.new(secret.encode(), text.encode(), hashlib.sha256).hexdigest()


@attrs.define
class Rest:
    """Requests to one door. Each that is not answered well is answered ``unknown``; none is sent twice."""

    root: str
    key: str
    secret: str
    client: httpx.AsyncClient = attrs.field(
        factory=lambda: httpx.AsyncClient(timeout=PATIENCE_S, trust_env=False, http2=False)
    )

    async def ask(self, method: str, path: str, **parameters: object) -> Answer:
        """Return the outcome of a signed request."""
        query = urlencode({**parameters, "timestamp": time.time_ns() // 1_000_000})
        query += f"&signature={signature(self.secret, query)}"
        try:
            answer = await self.client.request(method, f"{self.root}{path}?{query}", headers={"X-MBX-APIKEY": self.key})
        except httpx.HTTPError:
            return UNKNOWN
        waits = answer.headers.get("retry-after", "")
        try:
            return judged(answer.status_code, answer.json(), waits)
        except ValueError:
            return UNKNOWN if answer.status_code == 200 else judged(answer.status_code, None, waits)


class Line(WSListener):
    """One WebSocket connection: answers by id, everything else is an event. It is given up when it is silent."""

    def __init__(self) -> None:
        self.transport: WSTransport | None = None
        self.is_gone = asyncio.Event()
        self.events = 0
        self.spoiled = 0
        self.best: dict[str, str] = {}
        self._pending: dict[str, asyncio.Future[Answer]] = {}
        self._number = 0

    @classmethod
    async def open(cls, url: str) -> Line | None:
        """Return a connection, None where there is none to be had now."""
        try:
            _, line = await ws_connect(
                cls,
                url,
                websocket_handshake_timeout=PATIENCE_S,
                enable_auto_ping=True,
                auto_ping_idle_timeout=SILENCE_S,
                auto_ping_reply_timeout=PATIENCE_S,
            )
        except (WSError, OSError, TimeoutError):
            return None
        return line  # type: ignore[return-value]

    def on_ws_connected(self, transport: WSTransport) -> None:
        self.transport = transport

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        self.is_gone.set()
        for waiting in self._pending.values():
            if not waiting.done():
                waiting.set_result(UNKNOWN)

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        if frame.msg_type == WSMsgType.CLOSE:
            transport.disconnect()
        if frame.msg_type != WSMsgType.TEXT:
            return
        try:
            told = json.loads(frame.get_payload_as_bytes())
        except ValueError:
            self.spoiled += 1
            return
        waiting = self._pending.pop(str(told.get("id")), None) if isinstance(told, dict) and "status" in told else None
        if waiting is None:
            self.events += 1
            data = told.get("data", told)
            if "b" in data and "a" in data and isinstance(data["b"], str):
                self.best = {"BUY": data["b"], "SELL": data["a"]}
        elif not waiting.done():
            waiting.set_result(judged(told["status"], told.get("result", told.get("error"))))

    async def ask(self, method: str, key: str, secret: str, **parameters: object) -> Answer:
        """Return the outcome of a signed call."""
        if self.transport is None or self.is_gone.is_set():
            return UNKNOWN
        given = {**{name: str(value) for name, value in parameters.items()}, "apiKey": key}
        given["timestamp"] = str(time.time_ns() // 1_000_000)
        given["signature"] = signature(secret, "&".join(f"{name}={given[name]}" for name in sorted(given)))
        self._number += 1
        name = f"q{self._number}"
        waiting = self._pending[name] = asyncio.get_running_loop().create_future()
        frame = {"id": name, "method": method, "params": {**given, "timestamp": int(given["timestamp"])}}
        self.transport.send(WSMsgType.TEXT, json.dumps(frame).encode())
        try:
            return await asyncio.wait_for(waiting, PATIENCE_S)
        except TimeoutError:
            return UNKNOWN
        finally:
            self._pending.pop(name, None)

    async def end(self) -> None:
        """Close it, or cut it if that is not taken."""
        if self.transport is None or self.is_gone.is_set():
            return
        self.transport.send_close(WSCloseCode.OK, b"")
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.is_gone.wait(), PATIENCE_S)
        self.transport.disconnect(False)


@attrs.frozen
class ControlPlane:
    """The control plane over HTTP."""

    url: str
    token: str
    client: httpx.AsyncClient = attrs.field(factory=lambda: httpx.AsyncClient(timeout=30.0, trust_env=False))

    async def tell(self, name: str, /, **body: object) -> Any:
        """POST *name* and return its answer."""
        return self._told(await self.client.post(f"{self.url}/{name}", json=body, headers=self._headers()))

    async def ask(self, name: str, /, **query: object) -> Any:
        """GET *name* and return its answer."""
        given: Mapping[str, Any] = query
        return self._told(await self.client.get(f"{self.url}/{name}", params=given, headers=self._headers()))

    def _headers(self) -> dict[str, str]:
        return {"authorization": f"Bearer {self.token}"}

    @staticmethod
    def _told(answer: httpx.Response) -> Any:
        told = answer.json()
        assert answer.status_code == 200, told
        return told
