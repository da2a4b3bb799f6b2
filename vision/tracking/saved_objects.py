"""Objects of the `trackers` package as JSON, from which they are restored exactly.

The package itself saves nothing. Its objects hold numbers, arrays, and further objects of the package; so
their fields are all there is to save. Only classes of the package are restored, and without a call of their
constructors: a saved state runs no code.
"""

from __future__ import annotations

import base64
import sys
from typing import Literal, cast

import numpy as np

from vision.state import StateError

PACKAGE = "trackers"

Json = None | bool | int | float | str | list["Json"] | dict[str, "Json"]


def to_json(value: object) -> Json:
    """A value as JSON.

    Returns:
        Numbers and lists as they are; an array or a scalar of numpy, a dictionary, and an object of the
        package each as an object with the key `array`, `scalar`, `items` or `class`.

    Raises:
        StateError: the value is none of these.
    """
    if isinstance(value, (np.ndarray, np.generic)):
        array = np.asarray(value)
        # The order of an array in memory may decide the last bit of a product.
        by_columns = array.flags.f_contiguous and not array.flags.c_contiguous
        order: Literal["C", "F"] = "F" if by_columns else "C"
        data = base64.b64encode(array.tobytes(order)).decode()
        kind = "array" if isinstance(value, np.ndarray) else "scalar"
        return {kind: data, "dtype": array.dtype.str, "shape": list(array.shape), "order": order}
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, list):
        return [to_json(item) for item in value]
    if isinstance(value, dict):
        return {"items": [[to_json(key), to_json(item)] for key, item in value.items()]}
    module, name = type(value).__module__, type(value).__qualname__
    if module.partition(".")[0] == PACKAGE and not isinstance(value, type):
        fields: dict[str, Json] = {field: to_json(item) for field, item in vars(value).items()}
        return {"class": name, "module": module, "fields": fields}
    raise StateError(f"expected numbers, arrays and objects of {PACKAGE} to save, got {module}.{name}")


def from_json(value: Json) -> object:
    """The value of which `to_json` made this.

    Raises:
        StateError: it names a class that is none of the package.
    """
    if isinstance(value, list):
        return [from_json(item) for item in value]
    match value:
        case {"array": str(data), "dtype": str(dtype), "shape": list(shape), "order": order}:
            return _array(data, dtype, shape, order)
        case {"scalar": str(data), "dtype": str(dtype), "shape": list(shape), "order": order}:
            return _array(data, dtype, shape, order)[()]
        case {"items": list(items)}:
            pairs = cast(list[tuple[Json, Json]], items)
            return {from_json(key): from_json(item) for key, item in pairs}
        case {"class": str(name), "module": str(module), "fields": dict(fields)}:
            restored: object = object.__new__(_class(module, name))
            vars(restored).update({field: from_json(item) for field, item in fields.items()})
            return restored
    return value


def _class(module: str, name: str) -> type:
    found = getattr(sys.modules.get(module), name, None)
    ours = module.partition(".")[0] == PACKAGE
    if not ours or not isinstance(found, type) or found.__module__ != module:
        raise StateError(f"expected a saved object of {PACKAGE}, got one of {module}.{name}")
    return found


def _array(data: str, dtype: str, shape: list[Json], order: Json) -> np.ndarray:
    # A copy, because the bytes cannot be written to.
    flat = np.frombuffer(base64.b64decode(data), np.dtype(dtype)).copy()
    return flat.reshape(cast(list[int], shape), order="F" if order == "F" else "C")
