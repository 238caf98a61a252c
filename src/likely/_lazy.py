"""A package's public face, whose modules are imported when they are first asked for (PEP 562)."""

from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import Any


def lazy_face(
    package: str, names: Mapping[str, Sequence[str]]
) -> tuple[list[str], Callable[[str], Any], Callable[[], list[str]]]:
    """Return what a package takes for its `__all__`, `__getattr__` and `__dir__`.

    Args:
        package: its `__name__`.
        names: of each module, by its whole name, those that the package shows.
    """
    homes = {name: module for module, shown in names.items() for name in shown}

    def get(name: str) -> Any:
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return getattr(import_module(homes[name]), name)

    return sorted(homes), get, lambda: sorted(homes)
