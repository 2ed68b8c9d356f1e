"""Queue models: how much of a decrease of our price level happened behind our order.

What printed is taken out before; a model only judges what left without a print. Interface version 1.
"""

from __future__ import annotations

from math import log1p, pow

QUEUE_INTERFACE_VERSION = 1


class QueueModel:
    """Base class of all queue models; also the risk-averse one: every decrease is behind us as long as it can be.

    With that share our order never fills too early, so it is what an unset config uses.
    """

    def share_behind(self, ahead: float, behind: float) -> float:
        """Return the share, 0.0 to 1.0, of a decrease that happens behind an order.

        Args:
            ahead: Quantity in front of the order, in units of the instrument's size.
            behind: Quantity behind it at the same price; *ahead* + *behind* is positive.
        """
        return 1.0

    def describe(self) -> str:
        """Return the name of the model and its parameters, for the report."""
        return "risk_averse"

    def wants_orders(self) -> bool:
        """Return whether the queue is not judged but read off market-by-order data."""
        return False


class OrdersQueue(QueueModel):
    """No model: every order of the market is known by its id, and so is our place among them."""

    def describe(self) -> str:
        return "orders"

    def wants_orders(self) -> bool:
        return True


class FrontQueue(QueueModel):
    """Every decrease happens in front of us: the upper bound of what our orders could fill."""

    def share_behind(self, ahead: float, behind: float) -> float:
        return 0.0

    def describe(self) -> str:
        return "front"


class ProbQueue(QueueModel):
    """The share behind follows from ``f(behind)`` and ``f(ahead)``; a subclass says what ``f`` is.

    Args:
        form: 1 ``f(behind) / (f(behind) + f(ahead))``, 2 ``f(behind) / f(behind + ahead)``,
            3 ``1 - f(ahead / (ahead + behind))``.
    """

    def __init__(self, form: int) -> None:
        if form not in (1, 2, 3):
            raise ValueError(f"form of a queue model should be 1, 2 or 3, was {form}")
        self.form = form

    def weight(self, quantity: float) -> float:
        """Return ``f(quantity)``, growing from 0."""
        raise TypeError(f"{type(self).__name__} lacks weight()")

    def share_behind(self, ahead: float, behind: float) -> float:
        if self.form == 1:
            return self.weight(behind) / (self.weight(behind) + self.weight(ahead))
        if self.form == 2:
            return self.weight(behind) / self.weight(behind + ahead)
        return 1.0 - self.weight(ahead / (ahead + behind))


class PowerQueue(ProbQueue):
    """``f(x) = x ** exponent``; exponent 1 in form 1 shares a decrease out in proportion."""

    def __init__(self, exponent: float, form: int = 1) -> None:
        super().__init__(form)
        if not 0 < exponent <= 16:
            raise ValueError(f"exponent of a queue model should be above 0 and at most 16, was {exponent}")
        self.exponent = exponent

    def weight(self, quantity: float) -> float:
        return pow(quantity, self.exponent)

    def describe(self) -> str:
        return f"power, exponent {self.exponent}, form {self.form}"


class LogQueue(ProbQueue):
    """``f(x) = ln(1 + x)``: depends on the unit in which the instrument's size is counted."""

    def __init__(self, form: int = 1) -> None:
        super().__init__(form)

    def weight(self, quantity: float) -> float:
        return log1p(quantity)

    def describe(self) -> str:
        return f"log, form {self.form}"
