"""Which weights there are: registry, cards, training, export and evaluation."""

from models.offline import no_telemetry
from models.runtimes.precision import set_environment

no_telemetry()
set_environment()
