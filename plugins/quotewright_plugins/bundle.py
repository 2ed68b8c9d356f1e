"""What the box offers, hook by hook. Factories are imported when they are asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from quotewright.plugin.lazy import lazy
from quotewright.plugin.specs import Factory, hookimpl
from quotewright_plugins import exchanges

if TYPE_CHECKING:
    from pathlib import Path


@hookimpl
def feed_adapters() -> dict[str, Factory]:
    return {
        **exchanges.feeds(),
        "tape": lazy("quotewright_plugins.tape_feed:TapeFeed"),
        "venue": lazy("quotewright.live.venue_feed:VenueFeed"),
        "tardis": lazy("quotewright_plugins.tardis.feed:tardis_feed"),
        "holysheep": lazy("quotewright_plugins.holysheep.feed:holysheep_feed"),
    }


@hookimpl
def execution_venues() -> dict[str, Factory]:
    return exchanges.venues()


@hookimpl
def book_models() -> dict[str, Factory]:
    return {
        "ladder": lazy("quotewright.kernel.ladder:Ladder"),
        "orders": lazy("quotewright.kernel.by_order:ByOrderBook"),
        "sorted": lazy("quotewright_plugins.books.sorted_book:SortedBook"),
        "top_of_book": lazy("quotewright.kernel.top_of_book:TopOfBook"),
    }


@hookimpl
def strategies() -> dict[str, Factory]:
    return {
        "fixed_spread": lazy("quotewright_plugins.strategies.fixed_spread:FixedSpread"),
        "multi_level": lazy("quotewright_plugins.strategies.multi_level:MultiLevel"),
        "avellaneda_stoikov": lazy("quotewright_plugins.strategies.avellaneda_stoikov:AvellanedaStoikov"),
        "stationary_stoikov": lazy("quotewright_plugins.strategies.stationary:StationaryStoikov"),
        "glft": lazy("quotewright_plugins.strategies.glft:Glft"),
        "practical_spread": lazy("quotewright_plugins.strategies.practical:PracticalSpread"),
        "arbitrage": lazy("quotewright_plugins.strategies.arbitrage:Arbitrage"),
        "order_book_imbalance": lazy("quotewright_plugins.strategies.order_book_imbalance:OrderBookImbalance"),
    }


@hookimpl
def risk_rules() -> dict[str, Factory]:
    return {
        "position_limit": lazy("quotewright_plugins.risk_rules.position_limit:PositionLimit"),
        "max_order_size": lazy("quotewright_plugins.risk_rules.max_order_size:MaxOrderSize"),
        "max_order_value": lazy("quotewright_plugins.risk_rules.max_order_value:MaxOrderValue"),
        "price_collar": lazy("quotewright_plugins.risk_rules.price_collar:PriceCollar"),
        "daily_loss": lazy("quotewright_plugins.risk_rules.daily_loss:DailyLoss"),
        "drawdown": lazy("quotewright_plugins.risk_rules.drawdown:Drawdown"),
        "price_shock": lazy("quotewright_plugins.risk_rules.price_shock:PriceShock"),
        "stale_book": lazy("quotewright_plugins.risk_rules.stale_book:StaleBook"),
        "stream_disagreement": lazy("quotewright_plugins.risk_rules.stream_disagreement:StreamDisagreement"),
        "kill_switch": lazy("quotewright_plugins.risk_rules.kill_switch:KillSwitch"),
        "self_cross": lazy("quotewright_plugins.risk_rules.self_cross:SelfCross"),
        "duplicate_order": lazy("quotewright_plugins.risk_rules.duplicate_order:DuplicateOrder"),
        "max_open_orders": lazy("quotewright_plugins.risk_rules.max_open_orders:MaxOpenOrders"),
        "message_limit": lazy("quotewright_plugins.risk_rules.message_limit:MessageLimit"),
        "restricted": lazy("quotewright_plugins.risk_rules.restricted:Restricted"),
        "deployment_ramp": lazy("quotewright_plugins.risk_rules.deployment_ramp:DeploymentRamp"),
        "position_value": lazy("quotewright_plugins.risk_rules.position_value:PositionValue"),
        "credit_limit": lazy("quotewright_plugins.risk_rules.credit_limit:CreditLimit"),
        "reduce_near_limit": lazy("quotewright_plugins.risk_rules.reduce_near_limit:ReduceNearLimit"),
        "session_loss": lazy("quotewright_plugins.risk_rules.session_loss:SessionLoss"),
        "rolling_loss": lazy("quotewright_plugins.risk_rules.rolling_loss:RollingLoss"),
        "strategy_loss": lazy("quotewright_plugins.risk_rules.strategy_loss:StrategyLoss"),
        "equity_sanity": lazy("quotewright_plugins.risk_rules.equity_sanity:EquitySanity"),
        "price_move": lazy("quotewright_plugins.risk_rules.price_move:PriceMove"),
        "stale_private": lazy("quotewright_plugins.risk_rules.stale_private:StalePrivate"),
        "market_maker_protection": lazy("quotewright_plugins.risk_rules.market_maker_protection:MarketMakerProtection"),
        "fill_rate": lazy("quotewright_plugins.risk_rules.fill_rate:FillRate"),
        "one_sided_fills": lazy("quotewright_plugins.risk_rules.one_sided_fills:OneSidedFills"),
        "adverse_selection": lazy("quotewright_plugins.risk_rules.adverse_selection:AdverseSelection"),
        "self_trade_prevention": lazy("quotewright_plugins.risk_rules.self_trade_prevention:SelfTradePrevention"),
        "repeated_execution": lazy("quotewright_plugins.risk_rules.repeated_execution:RepeatedExecution"),
        "reject_throttle": lazy("quotewright_plugins.risk_rules.reject_throttle:RejectThrottle"),
    }


@hookimpl
def importers() -> dict[str, Factory]:
    return {
        "archive_csv": lazy("quotewright_plugins.archives.importer:ArchiveCsvImporter"),
        "frames": lazy("quotewright_plugins.archives.frames:FramesImporter"),
        "capture": lazy("quotewright_plugins.importers.capture:CaptureImporter"),
        "normalised": lazy("quotewright_plugins.importers.normalised:NormalisedImporter"),
        "npz": lazy("quotewright_plugins.importers.npz:NpzImporter"),
        "parquet": lazy("quotewright_plugins.importers.parquet:ParquetImporter"),
        "tardis_csv": lazy("quotewright_plugins.importers.tardis_csv:TardisCsvImporter"),
        "tardis_raw": lazy("quotewright_plugins.tardis.raw:TardisRawImporter"),
    }


@hookimpl
def archives() -> dict[str, Factory]:
    return {
        "tardis": lazy("quotewright_plugins.tardis.archives:TardisArchive"),
        "tardis-raw": lazy("quotewright_plugins.tardis.archives:TardisRawArchive"),
        "tardis-machine": lazy("quotewright_plugins.tardis.archives:TardisMachineArchive"),
        "binance": lazy("quotewright_plugins.archives.exchanges:BinanceArchive"),
        "bybit": lazy("quotewright_plugins.archives.exchanges:BybitArchive"),
        "okx": lazy("quotewright_plugins.archives.exchanges:OkxArchive"),
        "deribit": lazy("quotewright_plugins.archives.exchanges:DeribitArchive"),
    }


@hookimpl
def venue_cards() -> dict[str, Path]:
    return exchanges.cards()
