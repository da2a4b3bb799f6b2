"""Evidence of incidents: clip, key frame and boxes."""

from incidents.evidence.clips import EvidenceError
from incidents.evidence.evidence import Evidence, clean_leftovers, write_evidence
from incidents.evidence.footage import ClipSource

__all__ = ["ClipSource", "Evidence", "EvidenceError", "clean_leftovers", "write_evidence"]
