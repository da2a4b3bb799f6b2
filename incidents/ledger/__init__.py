"""The ledger: the permanent record of incidents, their review, the runs, and the coverage of each camera."""

from incidents.ledger.exposures import ExposureEntry
from incidents.ledger.facilities import CameraEntry
from incidents.ledger.file import LedgerError, is_locked, now
from incidents.ledger.history import HistoryEntry
from incidents.ledger.ledger import Ledger
from incidents.ledger.maintenance import Maintenance
from incidents.ledger.publications import Publication
from incidents.ledger.recordings import Recording
from incidents.ledger.runs import Run
from incidents.ledger.segments import Segment
from incidents.ledger.unread import Unread, UnreadReason

__all__ = [
    "CameraEntry",
    "ExposureEntry",
    "HistoryEntry",
    "Ledger",
    "LedgerError",
    "Maintenance",
    "Publication",
    "Recording",
    "Run",
    "Segment",
    "Unread",
    "UnreadReason",
    "is_locked",
    "now",
]
