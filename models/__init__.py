"""Which weights there are: registry, cards, training, export and evaluation."""

from models.runtime import no_telemetry

no_telemetry()
