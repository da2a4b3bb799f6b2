"""The parts of `tools/gpu_check.py`; its docstring says which packages they need."""
