"""`lazaretto coverage`: what was watched, and what could have been judged."""

from __future__ import annotations

from rich.console import Console

from cli.options import CamerasOption, HomeOption, JsonOption, SinceOption, UntilOption, read_window
from cli.output import print_json, print_line, print_note
from cli.watched import hours_table, not_watched_table, print_watched
from incidents.ledger import Ledger
from incidents.watched.summary import camera_sentences
from pipelines.home import Home
from pipelines.watched.watches import facility_timezone, watches_in_full


def coverage(
    home: HomeOption = None,
    since: SinceOption = None,
    until: UntilOption = None,
    camera: CamerasOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show what each camera watched in each hour, and what could have been judged in it."""
    folder = Home.choose(home)
    with Ledger.open(folder.ledger, create=False) as ledger:
        watches = watches_in_full(folder, ledger, camera or None, read_window(since, until))
        timezone, now = facility_timezone(ledger), ledger.clock()
    if as_json:
        print_json([watch.to_payload().to_dict() for watch in watches])
        return
    console = Console()
    console.print(hours_table(watches, timezone))
    if (lost := not_watched_table(watches, timezone, now)) is not None:
        console.print()
        console.print(lost)
        console.print()
    if not watches:
        print_watched(watches)
    for watch in watches:
        for text in camera_sentences(watch):
            print_line(text)
        for notice in watch.notices:
            print_note(notice)
