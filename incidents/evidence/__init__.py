"""Evidence of incidents: clip, key frame and boxes."""

from incidents.evidence.evidence import ClipSource, Evidence, EvidenceError, clean_leftovers, write_evidence

__all__ = ["ClipSource", "Evidence", "EvidenceError", "clean_leftovers", "write_evidence"]
