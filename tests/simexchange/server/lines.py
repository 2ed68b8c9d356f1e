"""A tiny dialect: echo over HTTP, lines over WebSocket, so that the server is tested without a venue's protocol."""

from __future__ import annotations

from quotewright_simexchange.doors import Connection, Dialect, Door, HttpRequest, HttpResponse, Session


class Market:
    """What is paced: a clock, and whoever listens to it."""

    def __init__(self) -> None:
        self.now_ns = 0
        self.listings = {}
        self.accounts = {}
        self.keys = {}

    def advance(self, until_ns: int) -> None:
        self.now_ns = until_ns


class LineSession(Session):
    """Answers each line; ``fill`` is told to everybody as an event of the account, ``flood N`` sends N lines."""

    def __init__(self, door: LineDoor, connection: Connection, now_ns: int) -> None:
        self.door = door
        self.connection = connection
        self.told: list[tuple[str, bytes]] = []
        self.is_closed = False
        if door.ping_ns:
            self.deadline_ns = now_ns + door.ping_ns

    def heard(self, frame: bytes, now_ns: int) -> None:
        self.told.append(("text", frame))
        self.door.heard.append(frame)
        word, _, rest = frame.decode().partition(" ")
        if word == "flood":
            for _ in range(int(rest)):
                self.connection.send(b"x" * 1024)
        elif word == "close":
            self.connection.close(int(rest), "as asked")
        elif word == "raise":
            raise RuntimeError("as asked")
        elif word == "fill":
            self.door.fill(rest)
            self.connection.send(b"done " + rest.encode())
        else:
            self.connection.send(b"heard " + frame)

    def pinged(self, payload: bytes, now_ns: int) -> None:
        self.told.append(("ping", payload))

    def ponged(self, payload: bytes, now_ns: int) -> None:
        self.told.append(("pong", payload))
        self.connection.send(b"pong " + payload)

    def tick(self, now_ns: int) -> None:
        if now_ns >= self.deadline_ns:
            self.deadline_ns = 1 << 62
            self.connection.ping(b"are you there")

    def closed(self) -> None:
        self.is_closed = True
        self.door.sessions.remove(self)
        self.door.closed += 1


class LineDoor(Door):
    def __init__(self, name: str = "lines", ping_ns: int = 0) -> None:
        self.name = name
        self.ping_ns = ping_ns
        self.requests: list[HttpRequest] = []
        self.times: list[int] = []
        self.heard: list[bytes] = []
        self.sessions: list[LineSession] = []
        self.closed = 0

    def http(self, request: HttpRequest, now_ns: int) -> HttpResponse:
        self.requests.append(request)
        self.times.append(now_ns)
        if request.path == "/raise":
            raise RuntimeError("as asked")
        if request.path == "/none":
            return HttpResponse(404, b"{}")
        if request.method == "POST":
            self.fill(request.body.decode())
        return HttpResponse(200, b'{"echo": "' + request.query + b'"}', {"X-Used": str(len(self.requests))})

    def fill(self, text: str) -> None:
        for session in list(self.sessions):
            session.connection.send(b"event " + text.encode())

    def tell(self, text: str) -> None:
        """Tell everybody something public."""
        for session in list(self.sessions):
            session.connection.send(b"public " + text.encode())

    def connect(self, path, query, headers, client, connection, now_ns):
        if path != "/lines":
            return HttpResponse(400, b"no such stream", {"X-Why": "path"}, "text/plain")
        session = LineSession(self, connection, now_ns)
        self.sessions.append(session)
        connection.send(b"hello " + query)
        return session

    def is_private(self, frame: bytes) -> bool:
        return frame.startswith(b"event ")

    def unserved(self):
        return {"GET /none": 1} if any(one.path == "/none" for one in self.requests) else {}


class Lines(Dialect):
    name = "lines"

    def __init__(self, exchange, cards=None, *doors: LineDoor) -> None:
        super().__init__(exchange, cards or {})
        self.made = doors or (LineDoor(),)

    def doors(self):
        return {door.name: door for door in self.made}

    def snippets(self, addresses, key, secret):
        return {"curl": f"curl {addresses['lines']['rest']} -H 'key: {key}'"}
