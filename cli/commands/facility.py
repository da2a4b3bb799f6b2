"""`lazaretto facility`: create a facility file, migrate an old one, and print the schema for editors."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from cli.interruption import Interrupted
from pipelines.facilities.first_file import (
    PLACES,
    ROLES,
    TIMEZONE,
    answer_fault,
    create_facility,
    read_answers,
)
from pipelines.facilities.migrate import plan_migration, schema_text
from pipelines.facilities.writing import check_new_file, write_facility
from zones.camera import Place, Role
from zones.errors import LazarettoError
from zones.migrating import NEWEST
from zones.validation import Loc

app = typer.Typer(
    help="Create a facility file, migrate an old one, print the schema for editors.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@app.callback()
def _group() -> None:
    """Create a facility file, migrate an old one, print the schema for editors."""


@app.command()
def init(
    file: Annotated[Path, typer.Argument(help="The file to write.")] = Path("facility.yaml"),
    answers: Annotated[
        Path | None,
        typer.Option(
            help='File of answers as JSON, instead of questions: {"code": "LC-01", "name": "...", '
            '"managing_body": "...", "cameras": [{"id": "gate", "places": ["gate"]}]}.'
        ),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite an existing file.")] = False,
    schema: Annotated[
        str | None,
        typer.Option(help="Path of the JSON Schema (see `facility schema`): adds a line that editors read."),
    ] = None,
) -> None:
    """Ask for what a facility file needs, and write one with comments."""
    check_new_file(file, force)
    if answers is not None:
        data = read_answers(answers)
    elif sys.stdin.isatty():
        data = _ask_facility()
    else:
        raise LazarettoError("expected a terminal to ask questions on, or --answers FILE, got neither")
    create_facility(file, data, schema, force)
    count = len(data["cameras"])
    print(f"Wrote {file} with {count} camera{'' if count == 1 else 's'}.")
    print(f"Add zones to it, then run: lazaretto zones check {file}")


@app.command()
def migrate(
    file: Annotated[Path, typer.Argument(help="The facility file.")],
    write: Annotated[bool, typer.Option("--write", help="Write the file [the changes are printed].")] = False,
) -> None:
    """Rewrite a facility file to the newest schema, with every comment kept."""
    migration = plan_migration(file)
    if not migration.changes:
        print(f"{file} is of schema {NEWEST}, the newest")
    elif write:
        migration.write()
        print(f"Rewrote {file} to schema {NEWEST}")
    else:
        print(migration.diff())


@app.command()
def schema(
    output: Annotated[Path | None, typer.Option(help="File to write [standard output].")] = None,
) -> None:
    """Print the JSON Schema of a facility file, for editors.

    Editors with the YAML language server (VS Code, Neovim, JetBrains and others) complete and check a file
    whose first line is `# yaml-language-server: $schema=PATH`.
    """
    text = schema_text()
    if output is None:
        print(text, end="")
    else:
        write_facility(output, text)


def _ask_facility() -> dict[str, Any]:
    """Ask for the data of a facility on the terminal."""
    console = Console(highlight=False, markup=False, soft_wrap=True)
    data: dict[str, Any] = {"facility": {}, "cameras": []}
    ask = _Questions(console, data)
    try:
        console.print("Ctrl-C stops without writing anything. (Nhấn Ctrl-C để thoát.)")
        ask(("facility", "code"), "Short code of the facility, such as LC-01 (mã cơ sở)")
        ask(("facility", "name"), "Name of the facility (tên cơ sở cách ly tập trung)")
        ask(("facility", "managing_body"), "Managing body (cơ quan quản lý)")
        ask(("timezone",), "Time zone (múi giờ)", TIMEZONE)
        while True:
            _ask_camera(ask, len(data["cameras"]))
            if not ask.yes("Another camera? (thêm camera?)"):
                return data
    except KeyboardInterrupt:
        print(file=sys.stderr)  # below the question
        raise Interrupted("interrupted; nothing was written") from None
    except EOFError:
        print()
        raise LazarettoError(
            f"expected an answer to {ask.last!r}, got the end of the input; nothing was written"
        ) from None


def _ask_camera(ask: _Questions, number: int) -> None:
    ask.console.print(f"Camera {number + 1}")
    ask.data["cameras"].append({})
    loc: Loc = ("cameras", number)
    ask((*loc, "id"), "Id, such as gate-1 (mã camera)")
    ask((*loc, "name"), "Name, optional (tên camera)", "")
    ask.options("Public areas that it sees (khu vực công cộng):", PLACES)
    ask((*loc, "places"), "Numbers or names, with commas", read=_several)
    ask((*loc, "source"), "Stream or file, ${NAME} for user and password, optional (nguồn)", "")
    ask.options("Role of people while nothing else is known (vai trò mặc định):", ROLES)
    ask((*loc, "default_role"), "Number or name", Role.UNKNOWN.value, read=_one)


def _several(answer: str) -> list[str]:
    return [_choice(word.strip(), list(Place)) for word in answer.split(",") if word.strip()]


def _one(answer: str) -> str:
    return _choice(answer, list(Role))


def _choice(word: str, choices: Sequence[Place] | Sequence[Role]) -> str:
    """The choice with that number; any other word is returned and validated later."""
    return str(choices[int(word) - 1]) if word.isdecimal() and 0 < int(word) <= len(choices) else word


class _Questions:
    """Questions on a terminal, each repeated until the answer is valid."""

    def __init__(self, console: Console, data: dict[str, Any]) -> None:
        self.console = console
        self.data = data
        self.last = ""

    def __call__(
        self, loc: Loc, question: str, default: str | None = None, read: Callable[[str], Any] = str
    ) -> None:
        """Ask for the value at a location; with an empty default, an empty answer leaves it out."""
        holder: Any = self.data
        for step in loc[:-1]:
            holder = holder[step]
        while True:
            self.last = question
            answer = self.console.input(
                f"{question}{f' [{default}]' if default else ''}: ", markup=False
            ).strip()
            if not answer and default == "":
                return
            holder[loc[-1]] = read(answer or default or "")
            if (fault := answer_fault(self.data, loc)) is None:
                return
            del holder[loc[-1]]
            self.console.print(f"  {fault.sentence}")

    def yes(self, question: str) -> bool:
        """Ask for yes or no; an empty answer is no."""
        self.last = question
        return self.console.input(f"{question} [y/N]: ", markup=False).strip().lower() in (
            "y",
            "yes",
            "c",
            "có",
            "co",
        )

    def options(self, title: str, names: Mapping[Place, str] | Mapping[Role, str]) -> None:
        """Print a numbered list."""
        self.console.print(title)
        for number, (value, vietnamese) in enumerate(names.items(), start=1):
            self.console.print(f"  {number} {value.value} ({vietnamese})")
