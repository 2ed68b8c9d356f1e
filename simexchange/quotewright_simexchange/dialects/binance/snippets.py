"""What users paste to point their client at the doors: code by client, for spot and futures at once where it can."""

from __future__ import annotations

from collections.abc import Mapping

Addresses = Mapping[str, Mapping[str, str]]
SPOT, USDM = "binance-spot", "binance-usdm"
TRUST = "# trust what exchange serve --ca wrote: SSL_CERT_FILE and REQUESTS_CA_BUNDLE should name that file\n"


def snippets(addresses: Addresses, key: str, secret: str, symbols: Mapping[str, str]) -> dict[str, str]:
    """Return code by client for the doors at *addresses*; *symbols* are instruments by door, to begin with."""
    spot, usdm = addresses.get(SPOT), addresses.get(USDM)
    if spot is None and usdm is None:
        return {}
    found = {
        "curl": "".join(
            f'curl "{addresses[door]["rest"]}{path}?symbol={symbols[door]}&limit=5"\n'
            for door, path in ((SPOT, "/api/v3/depth"), (USDM, "/fapi/v1/depth"))
            if door in addresses
        ),
        "ccxt": _ccxt(spot, usdm, key, secret),
        "python-binance": _python_binance(spot, usdm, key, secret),
    }
    if spot is not None:
        found["binance-connector"] = (
            f'from binance.spot import Spot\nclient = Spot("{key}", "{secret}", base_url="{spot["rest"]}")\n'
        )
        found["binance-sdk-spot"] = _sdk("binance_sdk_spot.spot", "Spot", spot, key, secret)
        found["quotewright (spot)"] = _config("spot", spot, key, secret, symbols[SPOT])
    if usdm is not None:
        package = "binance_sdk_derivatives_trading_usds_futures.derivatives_trading_usds_futures"
        found["binance-sdk-derivatives-trading-usds-futures"] = _sdk(
            package, "DerivativesTradingUsdsFutures", usdm, key, secret
        )
        found["quotewright (futures)"] = _config("usdm", usdm, key, secret, symbols[USDM])
    is_safe = any(one["rest"].startswith("https") for one in (spot, usdm) if one is not None)
    return {client: (TRUST if is_safe else "") + code for client, code in found.items()}


def _ccxt(spot: Mapping[str, str] | None, usdm: Mapping[str, str] | None, key: str, secret: str) -> str:
    first = spot or usdm
    assert first is not None
    kinds = [kind for kind, door in (("spot", spot), ("linear", usdm)) if door is not None]
    lines = [
        "import re",
        "import ccxt.pro  # or ccxt, or ccxt.async_support",
        "",
        "",
        "def pointed(node, http, ws):",
        "    if isinstance(node, dict):",
        "        return {name: pointed(one, http, ws) for name, one in node.items()}",
        "    if not isinstance(node, str):",
        "        return node",
        '    return re.sub(r"^https?://[^/]+", http, re.sub(r"^wss?://[^/]+", ws, node))',
        "",
        "",
        f'exchange = ccxt.pro.binance({{"apiKey": "{key}", "secret": "{secret}"}})',
        f'exchange.options["fetchMarkets"] = {{"types": {kinds!r}}}'.replace("'", '"'),
        f'urls = pointed(exchange.urls["api"], "{first["rest"]}", "{first["ws"]}")',
    ]
    if usdm is not None:
        lines += [
            "for name in urls:",
            '    if name.startswith("fapi"):',
            f'        urls[name] = pointed(urls[name], "{usdm["rest"]}", "{usdm["ws"]}")',
        ]
    sockets = []
    if spot is not None:
        sockets.append(f'    urls["ws"]["spot"] = "{spot["ws"]}/stream/ws"')
    if usdm is not None:
        sockets.append(f'    urls["ws"]["linear"] = urls["ws"]["future"] = "{usdm["ws"]}/ws"')
        sockets.append(f'    urls["ws"].get("ws-api", {{}})["linear"] = "{usdm["ws_api"]}"')
    lines += ['if "ws" in urls:', *sockets, 'exchange.urls["api"] = urls']
    return "\n".join(lines) + "\n"


def _python_binance(spot: Mapping[str, str] | None, usdm: Mapping[str, str] | None, key: str, secret: str) -> str:
    lines = ["import binance", "", "", "class Local:"]
    streams = []
    # Its clients begin with a ping of the spot side, whatever they are used for.
    first = spot or usdm
    assert first is not None
    lines += [f'    API_URL = "{first["rest"]}/api"', f'    MARGIN_API_URL = "{first["rest"]}/sapi"']
    if spot is not None:
        lines.append(f'    WS_API_URL = "{spot["ws_api"]}"')
        streams.append(f'    STREAM_URL = "{spot["ws"]}/"')
    if usdm is not None:
        lines.append(f'    FUTURES_URL = "{usdm["rest"]}/fapi"')
        lines.append(f'    FUTURES_DATA_URL = "{usdm["rest"]}/futures/data"')
        lines.append(f'    WS_FUTURES_URL = "{usdm["ws_api"]}"')
        streams.append(f'    FSTREAM_URL = "{usdm["ws"]}/"')
    lines += [
        "",
        "",
        "class LocalClient(Local, binance.Client):",
        "    pass",
        "",
        "",
        "class LocalAsyncClient(Local, binance.AsyncClient):",
        "    pass",
        "",
        "",
        "class LocalSockets(binance.BinanceSocketManager):",
        *streams,
        "",
        "",
        f'client = LocalClient("{key}", "{secret}"' + (", ping=False)" if spot is None else ")"),
        f'# in a coroutine: client = await LocalAsyncClient.create("{key}", "{secret}")',
    ]
    return "\n".join(lines) + "\n"


def _sdk(package: str, client: str, door: Mapping[str, str], key: str, secret: str) -> str:
    common = "binance_common.configuration"
    return (
        f"from {package} import {client}\n"
        f"from {common} import ConfigurationRestAPI, ConfigurationWebSocketAPI, ConfigurationWebSocketStreams\n\n"
        f'keys = {{"api_key": "{key}", "api_secret": "{secret}"}}\n'
        f"client = {client}(\n"
        f'    config_rest_api=ConfigurationRestAPI(base_path="{door["rest"]}", **keys),\n'
        f'    config_ws_api=ConfigurationWebSocketAPI(stream_url="{door["ws_api"]}", **keys),\n'
        f'    config_ws_streams=ConfigurationWebSocketStreams(stream_url="{door["ws"]}/stream"),\n'
        ")\n"
    )


def _config(market: str, door: Mapping[str, str], key: str, secret: str, symbol: str) -> str:
    return (
        f"# export LOCAL_KEY={key} LOCAL_SECRET={secret}\n"
        "[feeds.market]\n"
        'plugin = "venue"\n'
        f'instruments = ["{symbol}"]\n\n'
        "[venues.main]\n"
        'plugin = "binance"\n'
        f'market = "{market}"\n'
        f'rest = "{door["rest"]}"\n'
        f'websocket = "{door["ws"]}"\n'
        f'ws_api = "{_root(door["ws_api"])}"\n'
        'key = "env:LOCAL_KEY"\n'
        'secret = "env:LOCAL_SECRET"\n'
    )


def _root(url: str) -> str:
    """Return scheme and host of *url*."""
    scheme, _, rest = url.partition("://")
    return f"{scheme}://{rest.partition('/')[0]}"
