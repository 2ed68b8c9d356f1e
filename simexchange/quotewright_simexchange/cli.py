"""``quotewright exchange``: the local exchange on the command line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from quotewright.cli.options import debug_option, json_option, plugins_dir_option


@click.group()
def exchange() -> None:
    """Run and check the local exchange."""


@exchange.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--engine", type=click.Choice(["fast", "oracle"]), default="fast", show_default=True, help="What runs them."
)
@json_option
@debug_option
def cases(file: Path, engine: str, as_json: bool) -> int:
    """Run the worked scenarios of FILE; exit 1 if one fails, 4 if the file is malformed."""
    from quotewright_simexchange.cases import load_cases, run_cases

    report = run_cases(load_cases(file), engine)
    if as_json:
        click.echo(json.dumps(report.as_json(), indent=2))
    else:
        for failure in report.failures:
            click.echo(str(failure))
        click.echo(f"passed {len(report.passed)}, failed {len(report.failures)}, skipped {len(report.skipped)}")
    return 1 if report.failures else 0


@exchange.command()
@click.argument("tape", type=click.Path(path_type=Path))
@click.option("--seconds", default=240.0, show_default=True, type=click.FloatRange(min=0, min_open=True))
@click.option("--seed", default=11, show_default=True, type=click.IntRange(min=0), help="Seed of the agents.")
@click.option("--replace", is_flag=True, help="Replace the tape that stands there.")
@debug_option
def record(tape: Path, seconds: float, seed: int, replace: bool) -> int:
    """Record the market that the seeded agents make among themselves as a TAPE, labelled synthetic."""
    from quotewright_simexchange.local import LocalExchange
    from quotewright_simexchange.record import record_market

    info = record_market(tape, LocalExchange(), seed, seconds, replace)
    click.echo(f"{tape}: {info.row_count:,} rows, synthetic; use it with: quotewright backtest CONFIG --data {tape}")
    return 0


@exchange.command()
@click.argument("config", type=click.Path(path_type=Path), required=False)
@click.option("--dialect", "dialects", multiple=True, help="Protocol to speak.  [default: binance]")
@click.option("--instrument", "instruments", multiple=True, metavar="NAME[,KEY=VALUE…]", help="Such as BTC-USDT.spot.")
@click.option("--market", "markets", multiple=True, help="agents, none, a script, a tape.  [default: agents]")
@click.option("--account", "accounts", multiple=True, metavar="NAME[,CURRENCY=AMOUNT…]", help="Instead of trader.")
@click.option("--balance", "balances", multiple=True, metavar="CURRENCY=AMOUNT", help="Of the account trader.")
@click.option("--seed", type=click.IntRange(min=0), help="Seed of everything random.  [default: 0]")
@click.option("--speed", help="Of the market's clock: a factor, max, or step.  [default: 1]")
@click.option("--start", metavar="TIME", help="Of the market's clock: ISO 8601, or tape.  [default: now]")
@click.option("--port", type=click.IntRange(0, 65535), help="First door's port; the next ones follow.  [default: any]")
@click.option("--control-port", type=click.IntRange(0, 65535), help="Port of the control plane.  [default: any]")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--allow-remote", is_flag=True, help="Allow a host that other machines can reach; needs --token.")
@click.option("--token", default="", envvar="QUOTEWRIGHT_EXCHANGE_TOKEN", help="Of the control plane; else invented.")
@click.option("--tls", is_flag=True, help="Serve with a certificate that is made here.")
@click.option("--ca", type=click.Path(path_type=Path), help="File for what that certificate is trusted by.")
@plugins_dir_option
@json_option
@debug_option
def serve(
    config: Path | None,
    balances: tuple[str, ...],
    host: str,
    allow_remote: bool,
    token: str,
    tls: bool,
    ca: Path | None,
    plugins_dir: tuple[Path, ...],
    as_json: bool,
    **given: Any,
) -> int:
    """Serve the local exchange over the wire until stopped; prints where and with which key.

    CONFIG is a TOML file with a table [exchange]; options go before it.
    """
    import asyncio

    from quotewright.errors import ConfigError
    from quotewright_simexchange.server import command, opening
    from quotewright_simexchange.server.settings import Settings, read_settings

    if tls and ca is None:
        raise ConfigError("--tls: give --ca FILE too; what the certificate is trusted by is written there")
    stated = read_settings(config) if config is not None else {}
    settings = Settings(**stated | {name: value for name, value in given.items() if value not in (None, ())})
    if balances and settings.accounts:
        raise ConfigError("--balance is for the account trader; with accounts say --account NAME,CURRENCY=AMOUNT")
    context = opening.made_certificate(host, ca) if tls and ca is not None else None
    more = {"host": host, "allow_remote": allow_remote, "token": token, "tls": context}
    with opening.opened(settings, plugins_dir, balances, **more) as (server, keys):
        command.log_to_stderr()
        asyncio.run(command.serve_until_stopped(server, keys, {"ca": str(ca)} if tls else {}, as_json))
    return 0


@exchange.group()
def account() -> None:
    """Accounts of an exchange that is being served."""


@account.command()
@click.argument("name")
@click.option("--control", required=True, metavar="URL", help="The control plane, as exchange serve printed it.")
@click.option("--token", required=True, envvar="QUOTEWRIGHT_EXCHANGE_TOKEN", help="The control plane's token.")
@click.option("--balance", "balances", multiple=True, metavar="CURRENCY=AMOUNT", help="What it begins with.")
@click.option("--ca", type=click.Path(path_type=Path), help="File with what the certificate is trusted by.")
@json_option
@debug_option
def add(name: str, control: str, token: str, balances: tuple[str, ...], ca: Path | None, as_json: bool) -> int:
    """Open the account NAME with a key and print code to paste for each client."""
    from quotewright_simexchange.server import command, opening

    given = {currency: str(amount) for currency, amount in opening.balances_of(balances, {}).items()}
    told = command.ask_control(control, token, "add_account", {"name": name, "balances": given}, str(ca or ""))
    if as_json:
        click.echo(json.dumps(told))
    else:
        command.print_account(told)
    return 0
