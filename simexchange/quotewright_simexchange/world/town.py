"""The venue's side of a world: an exchange with its market, its doors in a network, and an account for the run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING

from quotewright_simexchange.doors import HttpRequest
from quotewright_simexchange.exchange.exchange import START_NS, Exchange
from quotewright_simexchange.server.faults import Faults
from quotewright_simexchange.server.opening import listing_of
from quotewright_simexchange.world.market import WorldMarket
from quotewright_simexchange.world.network import Network
from quotewright_simexchange.world.venue_checks import VenueChecks

if TYPE_CHECKING:
    from quotewright.feed import FeedAdapter
    from quotewright.model.cards import VenueCard
    from quotewright.model.instrument import Instrument
    from quotewright.plugin.registry import PluginSet
    from quotewright_simexchange.doors import Door
    from quotewright_simexchange.world.agenda import Agenda
    from quotewright_simexchange.world.plan import Plan
    from quotewright_simexchange.world.verdicts import Verdicts

OURS = "trader"
CLIENT = "10.0.0.1"
FUNDS = {"quote": Decimal(1_000_000), "base": Decimal(100)}


class Town:
    """What a run finds in its world; *dialect* is the protocol that is spoken there."""

    def __init__(
        self,
        dialect: str,
        instruments: Sequence[str],
        plugins: PluginSet,
        cards: Mapping[str, VenueCard],
        plan: Plan,
        agenda: Agenda,
        verdicts: Verdicts,
    ) -> None:
        self.agenda = agenda
        self.faults = Faults(plan.seed)
        found = [listing_of(name.partition("@")[0], dialect) for name in instruments]
        self.listings = [listing for listing, _ in found]
        prices = {listing.symbol: price for listing, price in found}
        self.exchange = Exchange(self.listings, start_ns=START_NS, seed=plan.seed)
        self.checks = VenueChecks(self.exchange, verdicts, OURS)
        funds: dict[str, Decimal] = {}
        for listing in self.listings:
            if listing.kind != "spot":
                self.exchange.set_index(listing.symbol, prices[listing.symbol])
                self.exchange.set_mark(listing.symbol, prices[listing.symbol])
            funds |= {listing.base: FUNDS["base"], listing.settle: FUNDS["quote"]}
        self.exchange.open_account(OURS, funds)
        self.key = self.exchange.add_key(OURS)
        self.market = WorldMarket(self.exchange, prices, plan.market, plan.seed)
        self.network = Network(agenda, plan, self.faults)
        made = plugins.get("dialects", dialect)(self.exchange, cards)
        for place, door in enumerate(made.doors().values()):
            self.network.serve(host_of(place), door)

    def symbols(self, instruments: Sequence[Instrument]) -> dict[str, str]:
        """Return the exchange's symbols by those of *instruments*."""
        by_name = {listing.name: listing.symbol for listing in self.listings}
        return {instrument.symbol: by_name[instrument.name] for instrument in instruments}

    def listed(self, adapter: FeedAdapter) -> list[Instrument]:
        """Return the instruments that the venue lists, read from its own answers."""
        found: list[Instrument] = []
        for request in adapter.wire().instrument_requests():
            door = self.network.door_at(request.url)
            path, _, query = request.url.partition("://")[2].partition("/")[2].partition("?")
            asked = HttpRequest(request.method, f"/{path}", query.encode(), request.body, {}, CLIENT)
            found += adapter.instruments(door.door.http(asked, self.agenda.now).body)
        return found


def host_of(place: int) -> str:
    """Return where the door at this *place* of a dialect is found in the world: addresses of this machine are safe."""
    return f"127.0.0.{place + 2}"


def addresses(doors: Mapping[str, Door]) -> dict[str, Mapping[str, str]]:
    """Return where each door is found in the world: ``rest``, ``ws`` and what else it tells."""
    return {
        name: door.addresses(f"http://{host_of(place)}", f"ws://{host_of(place)}")
        for place, (name, door) in enumerate(doors.items())
    }
