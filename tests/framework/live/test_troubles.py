"""What goes wrong at the edge: names, TLS, passwords, Ctrl-C; a person finds the reason and no secret."""

from __future__ import annotations

import gzip
import json
import os
import signal
import socket
import subprocess
import sys

import anyio
import anyio.abc
import pytest

from quotewright.cli.main import main
from quotewright.config.load import load_config
from quotewright.config.masking import masked
from quotewright.plugin.registry import PluginSet
from quotewright.runtime.paper_live import paper_live
from quotewright.testing.scripted import ScriptedServer
from tests.end_to_end.command import TREE, environment
from tests.framework.live import toy
from tests.framework.live.feeds import ToyFeed
from tests.framework.live.test_paper import CONFIG, Stream
from tests.framework.live.test_sockets import loopback, serve_book

CANARY = "canary-7Rk2"


@loopback
async def test_c01_a_peer_that_speaks_no_tls_is_tried_again_and_told():
    async def plain(stream) -> None:
        async with stream:
            await stream.receive()
            await stream.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    listener = await anyio.create_tcp_listener(local_host="127.0.0.1", local_port=0)
    port = listener.extra(anyio.abc.SocketAttribute.local_port)
    async with ScriptedServer(serve_book) as server, listener, anyio.create_task_group() as group:
        group.start_soon(listener.serve, plain)
        feed = ToyFeed(server, websocket=f"wss://127.0.0.1:{port}", handshake_timeout="10s")
        async with feed:
            await feed.until(lambda: feed.connection.pause.tries >= 2)
            (told,) = feed.feed.report()["connections"]
        group.cancel_scope.cancel()
    assert "TLS failed" in told["reason"] or "TLS failed" in feed.connection.counters.last_reason
    assert told["losses"] == told["opens"] == 0


@loopback
async def test_c01_a_name_that_cannot_be_looked_up_is_tried_again_and_told(monkeypatch):
    def unknown(host, *arguments, **more):
        if host == "nowhere.example":
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return found(host, *arguments, **more)

    found = socket.getaddrinfo
    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    async with ScriptedServer(serve_book) as server:
        feed = ToyFeed(server, websocket="wss://nowhere.example")
        async with feed:
            await feed.until(lambda: feed.connection.pause.tries >= 3)
            assert "the name nowhere.example cannot be looked up" in feed.connection.counters.last_reason
            assert feed.feed.report()["connections"][0]["reason"]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("http://user:pass@host:1/x", "http://***@host:1/x"),
        ("socks5://u:p@ss@host", "socks5://***@host"),
        ('proxy = "http://user@host"', 'proxy = "http://***@host"'),
        ("wss://host/ws?mail=a@b", "wss://host/ws?mail=a@b"),
        ("https://a.example and x@y.example", "https://a.example and x@y.example"),
    ],
)
def test_passwords_in_addresses_are_masked(text, shown):
    assert masked(text) == shown


@pytest.mark.parametrize("is_open", [True, False], ids=["served", "refused"])
def test_the_password_of_a_proxy_is_nowhere_to_be_found(tmp_path, capfd, caplog, is_open):
    caplog.set_level(0)
    with Stream() as stream:
        stream.server.is_proxy = is_open
        proxy = stream.server.http.replace("://", f"://user:{CANARY}@")
        path = tmp_path / "live.toml"
        text = CONFIG.format(ws=stream.server.ws, http=stream.server.http)
        path.write_text(text.replace("answer_timeout", f'proxy = "{proxy}"\nbackoff = "1ms"\nanswer_timeout', 1))
        plugins = PluginSet.discover()
        run = tmp_path / "run"

        def watcher(session) -> None:
            feed = session.feeds()["market"]
            if stream.sent.is_set() if is_open else "405" in feed["connections"][0]["reason"]:
                session.stop()

        paper_live(load_config([path]), plugins, 20.0, run, watcher)
        assert stream.server.proxied  # the password was used
        main(["status", str(run)])
    told = "".join(capfd.readouterr()) + caplog.text
    assert CANARY not in told
    files = [file for file in run.rglob("*") if file.is_file()]
    assert len(files) > 4
    for file in files:
        assert CANARY.encode() not in file.read_bytes(), file
    assert "***@127.0.0.1" in (run / "config.toml").read_text()


def test_ctrl_c_ends_a_live_run_in_order(tmp_path):
    with Stream() as stream:
        stream.config(tmp_path)
        run = subprocess.Popen(
            [sys.executable, "-m", "tests.framework.live.telling", "paper", "live.toml", "--out", "run", "--json"],
            cwd=tmp_path,
            env=environment(PYTHONPATH=str(TREE)),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            assert "two orders\n" in iter(run.stderr.readline, "")
            run.send_signal(signal.SIGINT)
            out, err = run.communicate(timeout=60)
        finally:
            run.kill()
            run.communicate()
    assert run.returncode == 130, err
    folder = tmp_path / "run"
    summary = json.loads((folder / "summary.json").read_text())
    assert summary["interrupted"] is True
    assert summary["open_orders"] == 0
    assert summary["orders"] >= 2
    assert summary["cancels"] >= 1
    assert json.loads(out)["orders"] == summary["orders"]
    assert {"config.toml", "inputs.log", "orders.jsonl", "report.html", "status.json", "tape"} <= {
        one.name for one in folder.iterdir()
    }
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert "paper on the live market of toy" in page
    assert "<h2>Feeds</h2>" in page
    assert json.loads((folder / "status.json").read_text())["is_running"] is False
    assert not list(folder.glob(".tape*"))
    assert main(["status", str(folder)]) == 3


def test_tiers_of_the_config_decide_what_is_served(tmp_path):
    from quotewright.live.clock import LiveClock
    from quotewright.live.market import live_adapter, prepare
    from quotewright.live.status import report
    from quotewright.wire import WireLimits
    from tests.framework.live.toy import ToyWire

    with Stream() as stream:
        path = tmp_path / "live.toml"
        names = '["BTC-USDT.spot@toy", "ETH-USDT.spot@toy"]\ntiers = [["ETH-USDT.spot@toy"]]'
        text = CONFIG.format(ws=stream.server.ws, http=stream.server.http).replace('["BTC-USDT.spot@toy"]', names)
        path.write_text(text)
        config = load_config([path])
        (table,) = config.feeds.values()
        adapter = live_adapter(PluginSet.discover(), table)

        class Narrow(ToyWire):
            def __init__(self, *given):
                super().__init__(*given)
                self.limits = WireLimits(connections=1, streams_per_connection=2)

        adapter.wire = lambda: Narrow(adapter.live)
        market = anyio.run(prepare, adapter, table.instruments, LiveClock(), table.where)
        session = market.feed.session
        session.start(1_700_000_000_000_000_000)
        told = report(session, 1_700_000_000_000_000_001)
    assert set(told["streams"]) == {"book.ETHUSDT", "trades.ETHUSDT"}
    assert set(told["unserved"]) == {"book.BTCUSDT", "trades.BTCUSDT"}


def test_a_feed_is_recorded_without_a_config(tmp_path, capsys, monkeypatch):
    def interrupt() -> None:
        os.kill(os.getpid(), signal.SIGINT)

    out = tmp_path / "x.jsonl.gz"
    arguments = ["data", "record", "--feed", "tests.framework.live.toy:toy_feed", "--output", str(out)]
    assert main(arguments) == 4
    assert "--instruments" in capsys.readouterr().err
    assert not out.exists()
    with Stream(at_end=interrupt) as stream:

        class Here(toy.ToyWire):
            def __init__(self, *given):
                super().__init__(*given)
                self.websocket, self.rest = stream.server.ws, stream.server.http

        monkeypatch.setattr(toy, "ToyWire", Here)
        assert main([*arguments, "--instruments", "BTCUSDT, ETH-USDT.spot@toy", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    lines = [json.loads(line) for line in gzip.decompress(out.read_bytes()).splitlines()]
    assert len(lines) == told["lines"] > 120
    assert lines[0]["src"] == "rest"
    assert set(told["streams"]) == {
        f"{what}.{symbol}" for what in ("book", "trades") for symbol in ("BTCUSDT", "ETHUSDT")
    }
