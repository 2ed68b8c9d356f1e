"""Whoever keeps the record of a run, as the pipeline sees it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from quotewright.kernel.orders import Order
    from quotewright.kernel.rules import Refusal
    from quotewright.kernel.view import View
    from quotewright.model.orders import Command, Report


class Recorder(Protocol):
    """What the pipeline tells whoever keeps the record of a run. A recorder changes nothing."""

    def on_command(self, now_ns: int, rows: int, command: Command, view: View) -> None: ...

    def on_report(self, now_ns: int, rows: int, report: Report, order: Order | None) -> None: ...

    def on_timer(self, now_ns: int, rows: int, timer: int) -> None: ...

    def on_operator(self, now_ns: int, rows: int, action: str) -> None: ...

    def on_refusal(self, now_ns: int, command: Command, refusal: Refusal, view: View) -> None: ...

    def on_sample(self, now_ns: int) -> None: ...

    def on_strategy_failure(self, now_ns: int, strategy: str, error: BaseException) -> None: ...
