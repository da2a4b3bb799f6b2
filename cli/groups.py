"""Commands below one name, of which only the modules that are needed are imported."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module

import typer


@dataclass(frozen=True)
class CommandGroup:
    """Commands that share a name before them.

    Attributes:
        package: the package whose modules have the commands.
        help: one sentence about the group.
        commands: name of a command -> module and attribute below the package: a function, a Typer app, or a
            group.
    """

    package: str
    help: str
    commands: Mapping[str, str]

    def build(self, words: Sequence[str] = ()) -> typer.Typer:
        """Build the Typer app of the group.

        Args:
            words: the words of the command line after the name of the group. If the first one is a command,
                only that command is included, so that only its modules are imported (torch alone takes
                seconds); else all commands are.
        """
        app = typer.Typer(
            help=self.help,
            no_args_is_help=True,
            add_completion=False,
            pretty_exceptions_enable=False,
            rich_markup_mode=None,
        )
        app.callback()(
            lambda: None
        )  # Without a callback, Typer would make a single command the whole program.
        for name in [words[0]] if words and words[0] in self.commands else self.commands:
            module, attribute = self.commands[name].split(".")
            command = getattr(import_module(f"{self.package}.{module}"), attribute)
            if isinstance(command, CommandGroup):
                app.add_typer(command.build(words[1:]), name=name)
            elif isinstance(command, typer.Typer):
                app.add_typer(command, name=name)
            else:
                app.command(name)(command)
        return app
