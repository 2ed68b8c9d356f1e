"""A deterministic local exchange: a matching core, spot accounts, agents, and a venue that replays tapes."""

import quotewright as _quotewright  # noqa: F401  obeys QUOTEWRIGHT_KERNELS before any kernel is imported
