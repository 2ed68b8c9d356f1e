"""A group of commands whose modules are imported only when one of them is called."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from quotewright.errors import ConfigError
from quotewright.plugin.lazy import Lazy

if TYPE_CHECKING:
    from quotewright.plugin.registry import PluginSet


PLUGINS = "quotewright.plugins"


class LazyGroup(click.Group):
    """Commands by name and target ``module:command``, and those that plugins offer through the hook ``commands``."""

    def __init__(self, *args: Any, targets: dict[str, Lazy] | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.targets = dict(targets or {})

    def plugins(self, ctx: click.Context) -> PluginSet:
        """Return the plugins whose commands this group has; faulty ones are listed by another command."""
        found: PluginSet | None = ctx.meta.get(PLUGINS)
        if found is None:
            from quotewright.plugin.registry import PluginSet

            folders: tuple[Path, ...] = ctx.params.get("plugins_dir") or ()
            found = ctx.meta[PLUGINS] = PluginSet.discover(folders, strict=False)
        return found

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted({*self.targets, *self.plugins(ctx).names("commands"), *super().list_commands(ctx)})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name in self.targets:
            return _command(cmd_name, self.targets[cmd_name].load())
        if cmd_name in self.plugins(ctx).names("commands"):
            return _command(cmd_name, self.plugins(ctx).get("commands", cmd_name))
        return super().get_command(ctx, cmd_name)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands without importing any of them."""
        rows = [(name, self._help(ctx, name)) for name in self.list_commands(ctx)]
        with formatter.section("Commands"):
            formatter.write_dl(rows)

    def _help(self, ctx: click.Context, name: str) -> str:
        if name in self.targets:
            return self.targets[name].help
        factory = self.plugins(ctx).offer("commands", name).factory
        if isinstance(factory, Lazy):
            return factory.help
        return factory.get_short_help_str(limit=80) if isinstance(factory, click.Command) else ""


def _command(name: str, found: Any) -> click.Command:
    if not isinstance(found, click.Command):
        raise ConfigError(f"command '{name}' should be a click command, was {type(found).__name__}")
    return found
