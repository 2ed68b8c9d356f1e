"""Row C1 with real TLS over loopback: a certificate that nobody has signed, one of another name, and one we trust."""

from __future__ import annotations

import shutil
import ssl
import subprocess
from pathlib import Path

import anyio
import anyio.abc
import pytest
from anyio.streams.tls import TLSListener

from quotewright.live.clock import LiveClock
from quotewright.live.driver import LiveFeed
from quotewright.live.transport import Transport
from quotewright.testing.scripted import ScriptedServer
from tests.framework.live.feeds import ToyFeed
from tests.framework.live.test_sockets import is_good, loopback, serve_book

OPENSSL = shutil.which("openssl")


def certificate(folder: Path, name: str) -> ssl.SSLContext:
    """Return a server's context with a new certificate for *name*, signed by itself, in ``folder/certificate.pem``."""
    if OPENSSL is None:
        pytest.skip(reason="makes a certificate with the program openssl, which is not here")
    key, made = folder / "key.pem", folder / "certificate.pem"
    words = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=test"
    subprocess.run(
        [OPENSSL, *words.split(), "-addext", f"subjectAltName={name}", "-keyout", str(key), "-out", str(made)],
        check=True,
        capture_output=True,
    )
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(made, key)
    return context


class Listener(TLSListener):
    """Does not complain of a client that turns away: that is what is tested."""

    @staticmethod
    async def handle_handshake_error(exc: BaseException, stream: anyio.abc.AnyByteStream) -> None:
        await anyio.aclose_forcefully(stream)


@pytest.mark.parametrize(
    ("name", "is_trusted", "told"),
    [
        ("IP:127.0.0.1", False, "self-signed certificate"),
        ("DNS:other.example", True, "IP address mismatch"),
        ("IP:127.0.0.1", True, ""),
    ],
    ids=["nobody signed it", "it names another host", "trusted"],
)
@loopback
async def test_c01_only_a_certificate_that_is_trusted_and_names_the_host_is_taken(
    tmp_path: Path, name: str, is_trusted: bool, told: str
) -> None:
    serving = certificate(tmp_path, name)
    trusted = ssl.create_default_context(cafile=tmp_path / "certificate.pem") if is_trusted else None
    async with ScriptedServer(serve_book) as server:
        plain = await anyio.create_tcp_listener(local_host="127.0.0.1", local_port=0)
        port = plain.extra(anyio.abc.SocketAttribute.local_port)
        listener = Listener(plain, serving, standard_compatible=False)
        async with listener, anyio.create_task_group() as group:
            group.start_soon(listener.serve, server._serve)
            feed = ToyFeed(server, websocket=f"wss://127.0.0.1:{port}", connect_timeout="5s", handshake_timeout="5s")
            feed.feed = LiveFeed(
                feed.session, LiveClock(), "", lambda events: Transport(feed.session.settings, events, trusted)
            )
            async with feed:
                if told:
                    await feed.until(lambda: feed.connection.pause.tries >= 2)
                    assert told in feed.connection.counters.last_reason
                    assert server.counts.get("accepted", 0) == 0, "not a byte of ours was read"
                else:
                    await feed.until(lambda: is_good(feed))
            group.cancel_scope.cancel()
