"""LightGBM without what its text models never need: scikit-learn, pandas, Dask and its plotting.

``import lightgbm`` imports all of them where they are installed, for estimator classes that a text never makes; that
takes a second and 60 MB. A text needs its module ``basic`` alone, with ``compat`` and ``libpath``, which are executed
here under a name of ours; only ``compat`` asks for those packages, and takes an ImportError for "not installed".

Invariants: nothing that anybody else imports is touched, so the real ``lightgbm`` can be imported afterwards, whole;
where it is there already it is used; and where the installed version is not built like that, it is imported as usual.
"""

from __future__ import annotations

import builtins
import contextlib
import importlib
import importlib.util
import logging
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from airflow_batch_inference.flavors.base import require

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

log = logging.getLogger(__name__)

PACKAGE = "airflow_batch_inference.flavors.lightgbm.installed"
"""The name that LightGBM's own modules have here."""
_REAL = "lightgbm"
_COMPAT = f"{PACKAGE}.compat"
_REFUSED = frozenset({"dask", "graphviz", "matplotlib", "pandas", "sklearn"})
_VERSION_FILE = "VERSION.txt"

_lock = threading.Lock()


@dataclass(frozen=True, slots=True)
class LightGBM:
    """What a text model needs of LightGBM: its class of boosters, and its version."""

    booster: Any
    version: str


def lightgbm() -> LightGBM:
    """Return LightGBM.

    Raises
    ------
    FlavorNotInstalledError
        It is not installed.
    """
    with _lock:
        found = None if _REAL in sys.modules else _bare()
    if found is not None:
        return found
    module = require(_REAL, extra=None)
    return LightGBM(module.Booster, module.__version__)


def _bare() -> LightGBM | None:
    """Return LightGBM without the packages; None where the installed one is built in another way."""
    spec = importlib.util.find_spec(_REAL)
    if spec is None or not spec.submodule_search_locations:
        return None
    folder = Path(spec.submodule_search_locations[0])
    try:
        version = (folder / _VERSION_FILE).read_text(encoding="utf-8").strip()
        if PACKAGE not in sys.modules:
            with _kept_if_sound():
                _execute(folder)
        return LightGBM(sys.modules[f"{PACKAGE}.basic"].Booster, version)
    except Exception as error:  # noqa: BLE001  # whatever it is, the library as a whole may do without
        log.debug("LightGBM is imported whole: %s: %s", type(error).__name__, error)
        return None


def _execute(folder: Path) -> None:
    package = ModuleType(PACKAGE)
    package.__path__ = [str(folder)]
    sys.modules[PACKAGE] = package
    spec = importlib.util.find_spec(_COMPAT)
    if spec is None or spec.loader is None:
        message = "it has no module compat"
        raise ImportError(message)
    compat = importlib.util.module_from_spec(spec)
    # A module that has builtins of its own keeps them: its import statements, and no others, are answered by ours.
    vars(compat)["__builtins__"] = {**vars(builtins), "__import__": _import}
    sys.modules[_COMPAT] = compat
    spec.loader.exec_module(compat)
    importlib.import_module(f"{PACKAGE}.basic")


def _import(
    name: str,
    of: Mapping[str, object] | None = None,
    local: Mapping[str, object] | None = None,
    names: Sequence[str] | None = (),
    level: int = 0,
) -> ModuleType:
    """Import what ``compat`` asks for, but for the packages that are not needed; Python gives all by position."""
    if not level and name.partition(".")[0] in _REFUSED:
        message = f"{name} is not needed"
        raise ImportError(message)
    return builtins.__import__(name, of, local, names, level)


@contextlib.contextmanager
def _kept_if_sound() -> Iterator[None]:
    """Forget what was imported under our name where some of it cannot be."""
    try:
        yield
    except BaseException:
        for name in [name for name in sys.modules if name == PACKAGE or name.startswith(f"{PACKAGE}.")]:
            del sys.modules[name]
        raise
