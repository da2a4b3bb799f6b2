"""What is believed of a person's role at a moment, from what was seen of the person until then."""

from __future__ import annotations

import math

from incidents.rules.compiling import compiled
from incidents.rules.machines.geometry import signed_distance
from incidents.rules.machines.plan import UNKNOWN, Floats
from incidents.rules.machines.tables import Ints, Table
from vision.roles.assignment import MIN_READING_SHARE, READING_CORRELATION, UNFAMILIAR_BELOW

NONE, CAMERA_DEFAULT, ORIGIN, CLOTHES = 0, 1, 2, 3
"""What a role rests on; the codes of `incidents.rules.events.Basis`."""
MILLION = 1_000_000
_ROLES = 4


@compiled
def add_origin(p: Table, x: float, y: float) -> bool:
    """Add one of the first three foot points, whose median is the origin; False when there are more."""
    if p.origins >= 3:
        return False
    if p.origins == 0:
        p.ox0, p.oy0 = x, y
    elif p.origins == 1:
        p.ox1, p.oy1 = x, y
    else:
        p.ox2, p.oy2 = x, y
    p.origins += 1
    return True


@compiled
def add_reading(p: Table, ratios: Ints, row: Table) -> bool:
    """Add the reading of the clothes of a row to person p; False if there is none.

    The sums (4,) of log ratios to equal probabilities are kept in `ratios`.
    """
    probabilities = (row.role0, row.role1, row.role2, row.role3)
    known, total = 0, 0.0
    for role in range(_ROLES):
        if not math.isnan(probabilities[role]):
            known += 1
            total += probabilities[role]
    if known == 0:
        return False
    p.readings += 1
    if total < UNFAMILIAR_BELOW:
        p.unfamiliar += 1
        return True
    for role in range(_ROLES):
        if not math.isnan(probabilities[role]):
            share = min(max(probabilities[role] / total, MIN_READING_SHARE), 1 - MIN_READING_SHARE)
            ratios[role] += round(math.log(share * known) * MILLION)
    return True


@compiled
def _median(n: int, a: float, b: float, c: float) -> float:
    if n == 1:
        return a
    if n == 2:
        return (a + b) / 2
    return max(min(a, b), min(max(a, b), c))


@compiled
def update_belief(settings: Table, zones: Table, corners: Floats, p: Table, ratios: Ints) -> bool:
    """Compute the role of a person, its confidence and its basis; returns whether role or basis changed.

    The prior comes from the zone in which the person was first seen, if that has an `origin_role`, else from
    the camera's `default_role`; the other roles share the rest of the probability equally. The readings
    multiply it, each as its ratio to equal probabilities, tempered by READING_CORRELATION. If most readings
    show a person unlike all labelled people, the camera's default does not apply and the role is unknown.
    Below the facility's `role_confidence` the role is unknown, and the confidence is kept.
    """
    role, confidence, basis = settings.default_role, settings.default_confidence, CAMERA_DEFAULT
    x, y = _median(p.origins, p.ox0, p.ox1, p.ox2), _median(p.origins, p.oy0, p.oy1, p.oy2)
    for z in range(len(zones)):
        zone = zones[z]
        if zone.origin_role >= 0 and signed_distance(x, y, corners, zone.low, zone.high, 2) >= 0:
            role, confidence, basis = zone.origin_role, zone.origin_confidence, ORIGIN
    familiar = p.readings - p.unfamiliar
    if 2 * p.unfamiliar > p.readings:
        if basis != ORIGIN:
            role, confidence, basis = UNKNOWN, 0.0, CLOTHES
    elif p.readings > 0:
        effective = familiar / (1 + max(familiar - 1, 0) * READING_CORRELATION)
        best, total, top = -1, 0.0, -math.inf
        for other in range(_ROLES):
            prior = 1 / _ROLES
            if role != UNKNOWN:
                prior = confidence if other == role else (1 - confidence) / (_ROLES - 1)
            logit = -math.inf
            if prior > 0:
                logit = math.log(prior) + effective * (ratios[other] / MILLION / familiar)
            if logit > top:
                total = total * math.exp(top - logit) + 1 if best >= 0 else 1.0
                best, top = other, logit
            elif logit > -math.inf:
                total += math.exp(logit - top)
        role, confidence, basis = best, 1 / total, CLOTHES
    if role == UNKNOWN and basis == CAMERA_DEFAULT:
        basis = NONE
    if confidence < settings.known_from:
        role = UNKNOWN
    changed = p.role != role or p.basis != basis
    p.role = role
    p.basis = basis
    p.confidence = confidence
    return changed
