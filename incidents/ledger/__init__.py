"""The ledger: the record of what was seen, what was decided, and how much was watched."""

from incidents.ledger.file import LedgerError
from incidents.ledger.ledger import Ledger
from incidents.ledger.progress import Segment, now
from incidents.ledger.publications import Publication
from incidents.ledger.queries import CameraEntry, HistoryEntry, Run

__all__ = ["CameraEntry", "HistoryEntry", "Ledger", "LedgerError", "Publication", "Run", "Segment", "now"]
