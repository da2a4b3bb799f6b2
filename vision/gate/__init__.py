"""The gate: which parts of which frames the detector is given, by motion, known people, and time."""
