"""The parts of the rehearsal of a watch."""
