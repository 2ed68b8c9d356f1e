"""The role of an archive: which files a service has of what was asked for, and where they are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, ClassVar

import attrs

from quotewright.errors import ConfigError
from quotewright.fetching.times import Span

if TYPE_CHECKING:
    from quotewright.fetching.download import Item


@attrs.frozen(kw_only=True)
class Order:
    """What is to be fetched: kinds of data of symbols of an exchange, in a half-open interval.

    *base_url* is where the archive is asked. *period* is ``daily`` or ``monthly``, where an archive has both.
    """

    exchange: str
    kinds: tuple[str, ...]
    symbols: tuple[str, ...]
    span: Span
    base_url: str
    period: str = "daily"
    has_key: bool = False


class Archive:
    """Base class of archives, offered by the hook ``archives`` under the name used by ``data fetch``.

    A factory takes no arguments.

    Class attributes:
        base_url: where the archive is, unless the command line says otherwise.
        exchanges: names of exchanges it has, the default first.
        kinds: kinds of data it has, the default first.
        any_kind: it takes other kinds too, such as channels as the exchange calls them.
        key: name of the environment variable that holds its key; empty: it takes none.
        unverified: what of it could not be confirmed; empty: nothing.
    """

    base_url = ""
    exchanges: ClassVar[tuple[str, ...]] = ()
    kinds: ClassVar[tuple[str, ...]] = ("trades",)
    any_kind = False
    key = ""
    unverified = ""

    def items(self, order: Order) -> Iterator[Item]:
        """Yield the files of *order*, in order of time; nothing is asked over the network yet."""
        raise TypeError(f"{type(self).__name__} lacks items()")


def chosen(what: str, asked: Sequence[str], offered: Sequence[str], *, any_other: bool = False) -> tuple[str, ...]:
    """Return *asked*, or the first of *offered*; ConfigError if one of them is not offered."""
    if not asked:
        return tuple(offered[:1])
    for name in asked:
        if name not in offered and not any_other:
            raise ConfigError(f"no {what} called '{name}'; it has {', '.join(offered)}")
    return tuple(asked)
