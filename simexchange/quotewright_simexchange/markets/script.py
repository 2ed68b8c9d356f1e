"""The text form of scripted markets: lines into steps; see ``docs/markets.md`` for the grammar."""

from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Literal, TypeAlias

import attrs

from quotewright.errors import InputError

UNITS = {"ns": 1, "us": 1_000, "ms": 1_000_000, "s": 1_000_000_000, "m": 60_000_000_000, "h": 3_600_000_000_000}
_SPAN = re.compile(r"(\d+(?:\.\d+)?)(ns|us|ms|s|m|h)")
PHASES = {"halts": "halt", "resumes": "trading"}
PHASE_NAMES = ("trading", "halt", "cancel_only", "post_only", "auction")
FLAGS = {"ioc", "fok", "post-only", "reduce-only", "hidden"}
NUMBERS = ("mark", "index")
MONEY = ("funds", "funding", "settles")
VERBS = ("buys", "sells", "cancels", "amends", "deposits", "withdraws", "phase", "uncrosses", *PHASES, *NUMBERS, *MONEY)
STATES = ("open", "partial", "filled", "canceled", "expired", "untriggered")
FORMS = (
    "WHO buys|sells QUANTITY [SYMBOL] at PRICE|market [FLAGS] [as NAME]; WHO cancels NAME|all; WHO amends NAME to "
    "QUANTITY [at PRICE]; WHO deposits|withdraws AMOUNT CURRENCY; [SYMBOL] halts|resumes|phase PHASE|uncrosses; "
    "[SYMBOL] mark|index NUMBER; [SYMBOL] funds RATE; [SYMBOL] funding RATE in TIME; [SYMBOL] settles PRICE; expect …"
)
What: TypeAlias = Literal[
    "order", "cancel", "amend", "deposit", "withdraw", "phase", "uncross", "reference", "fund", "funding", "settle",
    "expect",
]  # fmt: skip


@attrs.frozen(kw_only=True)
class Step:
    """One line that does or expects something, *after_ns* after the start of the market."""

    where: str
    text: str
    after_ns: int
    what: What
    who: str = ""
    symbol: str = ""
    """Empty: the script's own."""
    word: str = ""
    """The side of an order, the phase, which reference, what is expected."""
    name: str = ""
    quantity: Decimal | None = None
    price: Decimal | None = None
    trigger: Decimal | None = None
    display: Decimal | None = None
    flags: tuple[str, ...] = ()
    span_ns: int = 0


@attrs.frozen(kw_only=True)
class Script:
    """What a text says: its default symbol, funds by account, and steps in order of time."""

    name: str
    symbol: str = ""
    funds: dict[str, dict[str, Decimal]] = attrs.field(factory=dict)
    steps: tuple[Step, ...] = ()
    accounts: tuple[str, ...] = ()


def read_script(path: Path | str) -> Script:
    """Return the script in the file at *path*."""
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: the script cannot be read: {error}") from error
    return parse_script(text, str(path))


def parse_script(text: str, name: str = "script") -> Script:
    """Return what *text* says; InputError names *name* and the line."""
    reader = _Reader(name)
    for number, line in enumerate(text.splitlines(), 1):
        content = line.partition("#")[0].strip()
        if content:
            reader.line(content, f"{name}, line {number}")
    return reader.script()


class _Reader:
    """Reads line after line; each has a time of its own or the time of the line in front of it."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.symbol = ""
        self.funds: dict[str, dict[str, Decimal]] = {}
        self.steps: list[Step] = []
        self.accounts: list[str] = []
        self.now_ns = 0
        self.names: set[str] = set()

    def script(self) -> Script:
        return Script(
            name=self.name,
            symbol=self.symbol,
            funds=self.funds,
            steps=tuple(self.steps),
            accounts=tuple(self.accounts),
        )

    def line(self, text: str, where: str) -> None:
        words = text.split()
        if words[0] == "instrument":
            self._header(len(words) == 2, where, text, "instrument SYMBOL")
            self.symbol = words[1]
            return
        if words[0] == "account":
            self._account(text, where)
            return
        words = self._time(words, where, text)
        _Line(self, words, where, text).read()

    def known(self, account: str) -> str:
        if account not in self.accounts:
            self.accounts.append(account)
        return account

    def _header(self, is_good: bool, where: str, text: str, form: str) -> None:
        if self.steps:
            raise InputError(f"{where}: '{text}' should stand above the first step")
        if not is_good:
            raise InputError(f"{where}: should be '{form}', was '{text}'")

    def _account(self, text: str, where: str) -> None:
        words = text.replace(",", " ").split()
        form = "account NAME AMOUNT CURRENCY [AMOUNT CURRENCY …]"
        self._header(len(words) >= 4 and len(words) % 2 == 0, where, text, form)
        name = self.known(words[1])
        if name in self.funds:
            raise InputError(f"{where}: account '{name}' has its funds already; give all of them in one line")
        pairs = zip(words[2::2], words[3::2], strict=True)
        self.funds[name] = {currency: number(amount, where, "amount") for amount, currency in pairs}

    def _time(self, words: list[str], where: str, text: str) -> list[str]:
        if words[0] == "at" and len(words) > 1:
            at_ns, words = span(words[1], where), words[2:]
            if at_ns < self.now_ns:
                raise InputError(f"{where}: {text!r} goes back in time; lines should stand in order of time")
            self.now_ns = at_ns
        elif words[0].startswith("+"):
            self.now_ns += span(words[0][1:], where)
            words = words[1:]
        elif words[0] == "then":
            words = words[1:]
        if not words:
            raise InputError(f"{where}: nothing stands behind the time in {text!r}; expected {FORMS}")
        return words


class _Line:
    """One step's words."""

    def __init__(self, reader: _Reader, words: list[str], where: str, text: str) -> None:
        self.reader = reader
        self.words = words
        self.where = where
        self.text = text

    def bad(self, why: str) -> InputError:
        return InputError(f"{self.where}: {why} in '{self.text}'")

    def read(self) -> None:
        words = self.words
        verb = words[1] if len(words) > 1 else ""
        if words[0] == "expect":
            self._expect(words[1:])
        elif verb in ("buys", "sells"):
            self._order(words)
        elif verb == "cancels" and len(words) == 3:
            name = words[2] if words[2] == "all" else self._known_name(words[2])
            self._add("cancel", who=self._who(words[0]), name=name)
        elif verb == "amends":
            self._amend(words)
        elif verb in ("deposits", "withdraws") and len(words) == 4:
            amount = number(words[2], self.where, "amount")
            what: Literal["deposit", "withdraw"] = "deposit" if verb == "deposits" else "withdraw"
            self._add(what, who=self._who(words[0]), quantity=amount, name=words[3])
        else:
            self._venue(words)

    def _who(self, account: str) -> str:
        return self.reader.known(account)

    def _add(
        self,
        what: What,
        **fields: object,
    ) -> None:
        step = Step(where=self.where, text=self.text, after_ns=self.reader.now_ns, what=what)
        self.reader.steps.append(attrs.evolve(step, **fields))  # type: ignore[arg-type]

    def _order(self, words: list[str]) -> None:
        rest = words[2:]
        if not rest:
            raise self.bad("a quantity is missing")
        fields: dict[str, object] = {"who": self._who(words[0]), "word": words[1][:-1]}
        fields["quantity"] = number(rest.pop(0), self.where, "quantity")
        if rest and rest[0] != "at":
            fields["symbol"] = rest.pop(0)
        if len(rest) < 2 or rest[0] != "at":
            raise self.bad("expected 'at PRICE' or 'at market'")
        fields["price"] = None if rest[1] == "market" else number(rest[1], self.where, "price")
        rest = rest[2:]
        flags: list[str] = []
        while rest:
            word = rest.pop(0)
            if word in FLAGS:
                flags.append(word)
            elif word == "as" and rest:
                fields["name"] = self._new_name(rest.pop(0))
            elif word in ("stop", "take-profit") and rest:
                flags.append(word)
                fields["trigger"] = number(rest.pop(0), self.where, "trigger")
            elif word == "showing" and rest:
                fields["display"] = number(rest.pop(0), self.where, "displayed quantity")
            else:
                known = ", ".join(sorted(FLAGS))
                raise self.bad(f"'{word}' is not known; known: {known}, showing Q, stop P, take-profit P, as NAME")
        self._add("order", flags=tuple(flags), **fields)

    def _new_name(self, name: str) -> str:
        if name in self.reader.names or name == "all":
            raise self.bad(f"the name '{name}' is taken; choose another")
        self.reader.names.add(name)
        return name

    def _known_name(self, name: str) -> str:
        if name not in self.reader.names:
            known = ", ".join(sorted(self.reader.names)) or "none; give one with 'as NAME'"
            raise self.bad(f"no order is called '{name}' so far ({known})")
        return name

    def _amend(self, words: list[str]) -> None:
        if len(words) not in (5, 7) or words[3] != "to" or (len(words) == 7 and words[5] != "at"):
            raise self.bad("expected 'WHO amends NAME to QUANTITY [at PRICE]'")
        price = number(words[6], self.where, "price") if len(words) == 7 else None
        quantity = number(words[4], self.where, "quantity")
        name = self._known_name(words[2])
        self._add("amend", who=self._who(words[0]), name=name, quantity=quantity, price=price)

    def _venue(self, words: list[str]) -> None:
        symbol = ""
        if words[0] not in (*PHASES, *NUMBERS, *MONEY, "phase", "uncrosses"):
            symbol, words = words[0], words[1:]
        if not words:
            raise self.bad(f"a verb is missing; expected {FORMS}; came")
        if len(words) == 1 and words[0] in PHASES:
            self._add("phase", symbol=symbol, word=PHASES[words[0]])
        elif len(words) == 1 and words[0] == "uncrosses":
            self._add("uncross", symbol=symbol)
        elif len(words) == 2 and words[0] == "phase" and words[1] in PHASE_NAMES:
            self._add("phase", symbol=symbol, word=words[1])
        elif len(words) == 2 and words[0] in NUMBERS:
            value = number(words[1], self.where, words[0])
            self._add("reference", symbol=symbol, word=words[0], price=value)
        elif len(words) == 2 and words[0] == "funds":
            self._add("fund", symbol=symbol, price=rate(words[1], self.where))
        elif len(words) == 4 and words[0] == "funding" and words[2] == "in":
            later = span(words[3], self.where)
            self._add("funding", symbol=symbol, price=rate(words[1], self.where), span_ns=later)
        elif len(words) == 2 and words[0] == "settles":
            self._add("settle", symbol=symbol, price=number(words[1], self.where, "price"))
        else:
            from quotewright.config.structure import suggestion

            told = self.words[1:2] + self.words[:1]
            hint = next((found for word in told if word not in VERBS and (found := suggestion(word, VERBS))), "")
            raise self.bad(f"this is not understood{hint}; expected {FORMS}; came")

    def _expect(self, words: list[str]) -> None:
        """Take what stands behind ``expect``."""
        if words and words[0] == "refused" and len(words) <= 2:
            self._add("expect", word="refused", name=words[1] if len(words) == 2 else "")
            return
        if len(words) == 2 and words[0] in self.reader.names and words[1] in STATES:
            self._add("expect", word=words[1], name=words[0])
            return
        if len(words) == 3 and words[0] in self.reader.names and words[1] == "filled":
            self._add("expect", word="quantity", name=words[0], quantity=number(words[2], self.where, "quantity"))
            return
        if len(words) == 4 and words[1] == "has":
            amount = number(words[2], self.where, "amount", least_zero=True)
            self._add("expect", word="has", who=self._who(words[0]), quantity=amount, name=words[3])
            return
        if len(words) in (3, 4) and words[1] == "holds":
            size = Decimal(0) if words[2] == "none" else number(words[2], self.where, "position", is_signed=True)
            symbol = words[3] if len(words) == 4 else ""
            self._add("expect", word="holds", who=self._who(words[0]), quantity=size, symbol=symbol)
            return
        symbol = ""
        if words and words[0] not in ("bid", "offer", "last"):
            symbol, words = words[0], words[1:]
        is_shape = len(words) == 2 or (len(words) == 3 and words[0] != "last")
        if not is_shape or words[0] not in ("bid", "offer", "last"):
            raise self.bad(
                "this expectation is not understood; expected '[SYMBOL] bid|offer none|PRICE [QUANTITY]', 'last PRICE',"
                f" 'NAME {'|'.join(STATES)}', 'NAME filled QUANTITY', 'WHO has AMOUNT CURRENCY', 'WHO holds"
                " none|QUANTITY [SYMBOL]' or 'refused [REASON]'; came"
            )
        price = None if words[1] == "none" else number(words[1], self.where, "price")
        quantity = number(words[2], self.where, "quantity") if len(words) == 3 else None
        self._add("expect", word=words[0], symbol=symbol, price=price, quantity=quantity)


def number(text: str, where: str, what: str, *, least_zero: bool = False, is_signed: bool = False) -> Decimal:
    """Return the exact number in *text*: positive, or also zero, or of any sign."""
    try:
        value = Decimal(text)
    except InvalidOperation:
        value = Decimal("nan")
    if not value.is_finite() or (not is_signed and (value < 0 or (value == 0 and not least_zero))):
        kind = "a number" if is_signed else "a number, zero or more" if least_zero else "a positive number"
        raise InputError(f"{where}: {what} should be {kind}, was '{text}'")
    return value


def rate(text: str, where: str) -> Decimal:
    """Return the rate in *text*, such as 0.0001, -0.0001 or 0.01%."""
    value = number(text.removesuffix("%"), where, "rate", is_signed=True)
    return value / 100 if text.endswith("%") else value


def span(text: str, where: str) -> int:
    """Return the time in *text*, such as 1s, 250ms or 1.5m, in ns."""
    match = _SPAN.fullmatch(text)
    if match is None:
        raise InputError(f"{where}: a time should be written like 1s, 250ms or 1.5m ({', '.join(UNITS)}), was '{text}'")
    return int(Decimal(match[1]) * UNITS[match[2]])
