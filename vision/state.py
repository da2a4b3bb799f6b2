"""A state that can be saved: arrays by name. What is saved is data alone, never code."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from zones.errors import LazarettoError

State = dict[str, npt.NDArray[np.generic]]
"""Arrays of numbers by name. A name with a dot is that of a part and of an array in it."""


class StateError(LazarettoError):
    """A saved state cannot be restored."""


def as_part(part: str, state: State) -> State:
    """The state with `part` and a dot before each name."""
    return {f"{part}.{name}": array for name, array in state.items()}


def part_of(state: State, part: str) -> State:
    """The arrays that `as_part` named, without `part` and the dot."""
    prefix = f"{part}."
    return {name.removeprefix(prefix): array for name, array in state.items() if name.startswith(prefix)}


def text_array(text: str) -> npt.NDArray[np.uint8]:
    """A text as an array: its bytes in UTF-8."""
    return np.frombuffer(text.encode(), np.uint8)


def text_of(array: npt.NDArray[np.generic]) -> str:
    """The text of `text_array`."""
    return array.tobytes().decode()
