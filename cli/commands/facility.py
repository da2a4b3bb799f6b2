"""`lazaretto facility`: begin a facility file, bring an old one up to date, and help an editor with it."""

from __future__ import annotations

import difflib
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from pipelines.facilities.first_file import PLACES, ROLES, TIMEZONE, answer_fault, facility_text, read_answers
from pipelines.facilities.writing import write_facility
from zones.camera import Place, Role
from zones.editing import migrate_facility
from zones.errors import LazarettoError
from zones.facility import json_schema, load_facility
from zones.migrating import NEWEST, schema_of_any
from zones.validation import Loc

INTERRUPTED = 130

app = typer.Typer(
    help="Begin a facility file, bring an old one up to date, help an editor with it.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@app.callback()
def _group() -> None:
    """Begin a facility file, bring an old one up to date, help an editor with it."""


@app.command()
def init(
    file: Annotated[Path, typer.Argument(help="The file to write.")] = Path("facility.yaml"),
    answers: Annotated[
        Path | None,
        typer.Option(
            help='Answers as JSON, instead of asking: {"code": "LC-01", "name": "...", "managing_body": '
            '"...", "cameras": [{"id": "gate", "places": ["gate"]}]}.'
        ),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite a file that is there.")] = False,
    schema: Annotated[
        str | None,
        typer.Option(
            help="Where editors find the JSON Schema (see `facility schema`): adds the line for it."
        ),
    ] = None,
) -> None:
    """Ask what a facility file needs, and write one with comments."""
    if file.exists() and not force:
        raise LazarettoError(f"expected no file {file} yet, got one: give another name, or --force")
    if answers is not None:
        data = read_answers(answers)
    elif sys.stdin.isatty():
        data = _asked()
    else:
        raise LazarettoError("expected a terminal to ask questions on, or --answers FILE, got neither")
    write_facility(file, facility_text(data, schema))
    count = len(data["cameras"])
    print(f"Wrote {file} with {count} camera{'' if count == 1 else 's'}.")
    print(f"Draw zones in it, then: lazaretto zones check {file}")


@app.command()
def migrate(
    file: Annotated[Path, typer.Argument(help="The facility file.")],
    write: Annotated[
        bool, typer.Option("--write", help="Change the file; else the changes are shown.")
    ] = False,
) -> None:
    """Rewrite a facility file to the newest schema, with every comment kept."""
    text = load_facility(file).text
    after = migrate_facility(text, str(file))
    if after == text:
        print(f"{file} is of schema {NEWEST}, the newest")
    elif write:
        write_facility(file, after)
        print(f"Rewrote {file} to schema {NEWEST}")
    else:
        names = (str(file), f"{file} (schema {NEWEST})")
        pieces = difflib.unified_diff(text.splitlines(), after.splitlines(), *names, lineterm="")
        print("\n".join(pieces))


@app.command()
def schema(
    output: Annotated[Path | None, typer.Option(help="Write it here; else it is printed.")] = None,
) -> None:
    """The JSON Schema of a facility file, for editors.

    A file whose first line is `# yaml-language-server: $schema=PATH` is completed and checked by editors
    with the YAML language server (VS Code, Neovim, JetBrains and others).
    """
    text = json.dumps(schema_of_any(json_schema()), ensure_ascii=False, indent=2) + "\n"
    if output is None:
        print(text, end="")
    else:
        write_facility(output, text)


def _asked() -> dict[str, Any]:
    """The data of a facility, asked on the terminal."""
    console = Console(highlight=False, markup=False, soft_wrap=True)
    data: dict[str, Any] = {"facility": {}, "cameras": []}
    ask = _Questions(console, data)
    try:
        console.print("Ctrl-C leaves without writing anything. (Nhấn Ctrl-C để thoát.)")
        ask(("facility", "code"), "Short code of the facility, such as LC-01 (mã cơ sở)")
        ask(("facility", "name"), "Name of the facility (tên cơ sở cách ly tập trung)")
        ask(("facility", "managing_body"), "Managing body (cơ quan quản lý)")
        ask(("timezone",), "Time zone (múi giờ)", TIMEZONE)
        while True:
            _ask_camera(ask, len(data["cameras"]))
            if not ask.yes("Another camera? (thêm camera?)"):
                return data
    except KeyboardInterrupt:
        print("\nlazaretto: interrupted; nothing was written", file=sys.stderr)
        raise typer.Exit(INTERRUPTED) from None
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
    ask((*loc, "name"), "Name, may be left out (tên camera)", "")
    ask.options("Public areas that it sees (khu vực công cộng):", PLACES)
    ask((*loc, "places"), "Numbers or names, with commas", read=_several)
    ask((*loc, "source"), "Stream or file, ${NAME} for user and password, may be left out (nguồn)", "")
    ask.options("Who people are taken for unless something tells more (vai trò mặc định):", ROLES)
    ask((*loc, "default_role"), "Number or name", Role.UNKNOWN.value, read=_one)


def _several(answer: str) -> list[str]:
    return [_choice(word.strip(), list(Place)) for word in answer.split(",") if word.strip()]


def _one(answer: str) -> str:
    return _choice(answer, list(Role))


def _choice(word: str, choices: list[Any]) -> str:
    """The choice of that number; any other word is left for the loader to judge."""
    return str(choices[int(word) - 1]) if word.isdecimal() and 0 < int(word) <= len(choices) else word


class _Questions:
    """Questions on a terminal, each asked again until the loader has nothing against the answer."""

    def __init__(self, console: Console, data: dict[str, Any]) -> None:
        self.console = console
        self.data = data
        self.last = ""

    def __call__(
        self, loc: Loc, question: str, default: str | None = None, read: Callable[[str], Any] = str
    ) -> None:
        """Ask for the value at a place; an empty default leaves it out."""
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
        """Ask for a yes or no; nothing is no."""
        self.last = question
        return self.console.input(f"{question} [y/N]: ", markup=False).strip().lower() in (
            "y",
            "yes",
            "c",
            "có",
            "co",
        )

    def options(self, title: str, names: Any) -> None:
        """Show a numbered list."""
        self.console.print(title)
        for number, (value, vietnamese) in enumerate(names.items(), start=1):
            self.console.print(f"  {number} {value.value} ({vietnamese})")
