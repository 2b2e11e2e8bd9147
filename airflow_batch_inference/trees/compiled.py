"""The kernel, compiled by LLVM on first use, and called by as many threads as the process may use.

``kernel.ll`` is what a C compiler made of ``kernel.c``, for no processor in particular; llvmlite makes machine code for
this one of it, in about a tenth of a second, so nothing is kept on disk.

Invariants: arrays live as long as the call that has their addresses, and the layouts are those of ``kernel.c``.
"""

from __future__ import annotations

import contextlib
import ctypes
import importlib.util
import math
import mmap
import os
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from airflow_batch_inference.flavors.forests.links import EXPONENTIAL, LOG_EXPONENTIAL, SIGMOID, SINGLE_SIGMOID, SOFTMAX
from airflow_batch_inference.flavors.runtimes import version_numbers
from airflow_batch_inference.processes.threads import native_threads
from airflow_batch_inference.trees.ensemble import LANES, Masks

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_batch_inference.trees.ensemble import Ensemble

CODE = Path(__file__).with_name("kernel.ll")
_LINKS = {
    (SOFTMAX, "float64"): "softmax",
    (SOFTMAX, "float32"): "softmax_single",
    (SIGMOID, "float64"): "sigmoid",
    (SINGLE_SIGMOID, "float32"): "sigmoid_single",
    (EXPONENTIAL, "float64"): "exponential",
    (EXPONENTIAL, "float32"): "exponential_single",
    (LOG_EXPONENTIAL, "float64"): "log_exponential",
}
_LEAST_VERSION = "0.45"
_FROM_C = ("exp", "expf", "log1p")
_TILES, _TALL_TILES = 16, 512
_BLOCK_BYTES, _TALL_BYTES = 48 << 10, 1 << 20
_LARGE_BYTES = 2 << 20
_LEAST_ROWS_A_THREAD = 1024
_ALIGNMENT = 64


class Job(ctypes.Structure):
    """What ``score`` is given: ``ensemble`` of ``kernel.c``."""

    _fields_ = [
        *[(name, ctypes.c_void_p) for name in ("inputs", "columns")],
        ("width", ctypes.c_uint64),
        ("cuts", ctypes.c_void_p),
        *[(name, ctypes.c_int64) for name in ("rounds", "adds_single")],
        ("trees", ctypes.c_uint64),
        *[(name, ctypes.c_void_p) for name in ("splits", "chunks", "bounds", "nodes", "roots", "steps")],
        *[(name, ctypes.c_uint64) for name in ("shift", "mask")],
        ("sets", ctypes.c_void_p),
        ("first_set", ctypes.c_uint64),
        *[(name, ctypes.c_void_p) for name in ("values", "firsts", "groups")],
        ("outputs", ctypes.c_uint64),
        ("base", ctypes.c_void_p),
        ("height", ctypes.c_uint64),
    ]


def is_installed() -> bool:
    """Say whether llvmlite is there; it is not imported."""
    return importlib.util.find_spec("llvmlite") is not None


def raw_scores(ensemble: Ensemble, columns: Sequence[np.ndarray], rows: int) -> np.ndarray:
    """Add up the leaves that rows fall into.

    Parameters
    ----------
    ensemble
        The trees.
    columns
        For each of the ensemble's ``inputs`` a contiguous float64 array; missing values are NaN.
    rows
        Their length.

    Returns
    -------
    numpy.ndarray
        Shape (rows, outputs), in the type of the ensemble's ``base``.
    """
    found = np.empty((rows, ensemble.outputs))
    threads = max(1, min(native_threads(), rows // _LEAST_ROWS_A_THREAD))
    borders = np.linspace(0, rows, threads + 1).astype(np.int64).tolist()
    addresses = np.array([column.__array_interface__["data"][0] for column in columns], dtype=np.uint64)
    base = ensemble.base.astype(np.float64)
    height = _height(ensemble)
    job = _job(ensemble, addresses, base, height)
    score = kernel().score

    def run(start: int, stop: int) -> None:
        tiles = _aligned(height * (len(ensemble.columns) + 1) * LANES * 4)
        sums = _aligned(height * ensemble.outputs * LANES * 8)
        score(ctypes.addressof(job), start, stop, tiles.ctypes.data, sums.ctypes.data, found.ctypes.data)

    if threads == 1:
        run(0, rows)
    else:
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(run, borders[:-1], borders[1:]))  # an error is raised here
    return found.astype(ensemble.base.dtype, copy=False)


def apply_link(raw: np.ndarray, link: int | None, *, steepness: float = 1.0) -> np.ndarray:
    """Return what a link function makes of sums.

    Parameters
    ----------
    raw
        Shape (rows, outputs), float64 or float32; it stays as it is.
    link
        One of :mod:`~.links`; None: none.
    steepness
        Of a sigmoid.
    """
    found = np.array(raw, order="C")
    if link is not None:
        kernel().links[link, found.dtype.name](found.ctypes.data, *found.shape, steepness)
    return found


def _job(ensemble: Ensemble, addresses: np.ndarray, base: np.ndarray, height: int) -> Job:
    """Return what the kernel is given; it has the addresses of these very arrays."""
    way = ensemble.way
    arrays: dict[str, np.ndarray | None] = {
        "inputs": addresses,
        "base": base,
        "sets": ensemble.sets,
        **{name: getattr(ensemble, name) for name in ("columns", "cuts", "values", "firsts", "groups")},
    }
    numbers = {"width": len(ensemble.columns), "trees": len(ensemble.groups), "outputs": ensemble.outputs}
    if isinstance(way, Masks):
        arrays |= {"splits": way.splits, "chunks": way.chunks, "bounds": way.bounds}
    else:
        arrays |= {"nodes": way.nodes, "roots": way.roots, "steps": way.steps}
        numbers |= {"shift": way.shift, "mask": (1 << way.shift - 32) - 1, "first_set": way.first_set}
    return Job(
        rounds=ensemble.is_single,
        adds_single=ensemble.base.dtype == np.float32,
        height=height,
        **numbers,
        **{name: None if array is None else array.ctypes.data for name, array in arrays.items()},
    )


def _height(ensemble: Ensemble) -> int:
    """Return how many tiles are filled before each tree is gone through.

    A small ensemble stays in the processor's caches, and so should the tiles, in the first one; of a large one each
    tree is fetched once for all tiles, so there are many.
    """
    most, most_bytes = (_TALL_TILES, _TALL_BYTES) if ensemble.nbytes > _LARGE_BYTES else (_TILES, _BLOCK_BYTES)
    size = LANES * (4 * (len(ensemble.columns) + 1) + 8 * ensemble.outputs)
    return max(1, min(most, most_bytes // size))


def _aligned(size: int) -> np.ndarray:
    """Return bytes that begin where a cache line does."""
    memory = np.empty(size + _ALIGNMENT, dtype=np.uint8)
    start = -memory.ctypes.data % _ALIGNMENT
    return memory[start : start + size]


class NotCompiledError(Exception):
    """There can be no machine code: llvmlite is too old, addresses have not 64 bits, or the system forbids it."""


@dataclass(frozen=True, slots=True)
class Kernel:
    """The compiled functions; they release the global interpreter lock.

    Attributes
    ----------
    score
        Adds up leaves: a job's address, the first row and the end, the addresses of two scratch arrays and of the sums.
    links
        By number and type: what applies a link function in place, given an address, rows, outputs, a steepness.
    engine
        What holds the machine code.
    """

    score: Any
    links: dict[tuple[int, str], Any]
    engine: Any


_lock = threading.Lock()
_kernels: list[Kernel] = []


def _unlock() -> None:
    """Give a child of ``fork`` a lock of its own: whoever held this one is not in it."""
    global _lock
    _lock = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_unlock)


def kernel() -> Kernel:
    """Return the functions; the first call compiles them.

    Raises
    ------
    ImportError
        llvmlite is not installed.
    NotCompiledError
        There can be no machine code: see :class:`NotCompiledError`.
    """
    with _lock:
        if not _kernels:
            from llvmlite import binding as llvm

            features = llvm.get_host_cpu_features().flatten()
            _kernels.append(compile_for(llvm.get_host_cpu_name(), features))
        return _kernels[0]


def compile_ahead() -> None:
    """Compile the functions beside whatever comes next: LLVM releases the global interpreter lock.

    Whoever calls :func:`kernel` meanwhile waits for it; what goes wrong is told there.
    """

    def attempt() -> None:
        with contextlib.suppress(Exception):
            kernel()

    threading.Thread(target=attempt, name="kernel for trees").start()


def compile_for(processor: str, features: str = "") -> Kernel:
    """Compile the functions for a processor of this kind of machine.

    Parameters
    ----------
    processor, features
        As LLVM names them.

    Raises
    ------
    ImportError
        llvmlite is not installed.
    NotCompiledError
        There can be no machine code: see :class:`NotCompiledError`.
    """
    import llvmlite
    from llvmlite import binding as llvm

    _require_possible(llvmlite.__version__)

    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    machine = llvm.Target.from_default_triple().create_target_machine(cpu=processor, features=features, opt=3, jit=True)
    module = llvm.parse_assembly(CODE.read_text(encoding="ascii"))
    module.triple, module.data_layout = machine.triple, str(machine.target_data)
    for name in _FROM_C:
        if llvm.address_of_symbol(name) is None:
            llvm.add_symbol(name, _address_in_c(name))
    engine = llvm.create_mcjit_compiler(module, machine)
    engine.finalize_object()
    score = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p, *[ctypes.c_uint64] * 2, *[ctypes.c_void_p] * 3])
    link = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_uint64, ctypes.c_uint64, ctypes.c_double)
    links = {key: link(engine.get_function_address(name)) for key, name in _LINKS.items()}
    return Kernel(score(engine.get_function_address("score")), links, engine)


def _require_possible(version: str) -> None:
    if version_numbers(version) < version_numbers(_LEAST_VERSION):
        message = f"llvmlite {version} is too old; {_LEAST_VERSION} or later is needed"
        raise NotCompiledError(message)
    if sys.maxsize < 2**63 - 1:
        message = "this Python has not 64 bits"
        raise NotCompiledError(message)
    if not _may_run_what_it_writes():
        message = "the system forbids this process to make machine code (a seccomp filter, or SELinux's execmem)"
        raise NotCompiledError(message)


def _may_run_what_it_writes() -> bool:
    """Say whether memory that was written may be run, in the way that LLVM does it: it does not notice a refusal."""
    if os.name != "posix":
        return True
    with mmap.mmap(-1, mmap.PAGESIZE) as page:
        first = ctypes.c_char.from_buffer(page)
        protect = ctypes.CDLL(None).mprotect
        protect.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
        refused = protect(ctypes.addressof(first), mmap.PAGESIZE, mmap.PROT_READ | mmap.PROT_EXEC)
        del first
    return bool(refused == 0)


def _address_in_c(name: str) -> int:
    """Return where a function of the C library is, which Python's own module ``math`` is linked with."""
    library = ctypes.CDLL(getattr(math, "__file__", None))
    found = ctypes.cast(getattr(library, name), ctypes.c_void_p).value
    if found is None:
        message = f"the C library has no {name}"
        raise NotCompiledError(message)
    return found
