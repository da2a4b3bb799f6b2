"""How soon a person must look at an incident."""

from __future__ import annotations

from collections.abc import Mapping

from incidents.rule_record import Severity

REVIEW_DUE_MIN: Mapping[Severity, float] = {"critical": 5, "high": 30, "medium": 8 * 60, "low": 24 * 60}
"""Minutes in which the review of an incident must begin, by severity: 5 min, half an hour, the shift,
the day. Project default (docs/defaults.md)."""
