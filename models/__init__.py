"""Weights and networks: registry, cards, training, evaluation, exports, and running them on a device."""

from models.offline import no_telemetry
from models.runtimes.precision import set_environment

no_telemetry()
set_environment()
