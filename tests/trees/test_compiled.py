"""The kernel's code is what its text says, and is compiled for any processor with the same results."""

from __future__ import annotations

import ctypes
import hashlib
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import lightgbm_models as models
import numpy as np
import pytest
from llvmlite import binding as llvm
from same_bits import scorer_of

from airflow_batch_inference.flavors.forests.links import SOFTMAX
from airflow_batch_inference.trees import compiled, ensemble
from airflow_batch_inference.trees.columns import COLUMN

ROOT = Path(__file__).parents[2]
TEXT = compiled.CODE.with_suffix(".c")
CLANG = shutil.which("clang-19")


def test_the_code_is_that_of_the_text():
    said = re.match(r"; Made of kernel\.c .*: ([0-9a-f]{64})\n", compiled.CODE.read_text())
    assert said[1] == hashlib.sha256(TEXT.read_bytes()).hexdigest(), "run `make kernel`"


@pytest.mark.skipif(CLANG is None, reason="clang-19, which makes the code, is not installed")
def test_the_code_is_made_again_of_the_text():
    with tempfile.TemporaryDirectory() as folder:
        shutil.copy(ROOT / "Makefile", folder)
        trees = Path(folder) / compiled.CODE.parent.relative_to(ROOT)
        trees.mkdir(parents=True)
        shutil.copy(TEXT, trees)
        subprocess.run(["make", "kernel"], cwd=folder, check=True)
        assert (trees / compiled.CODE.name).read_text() == compiled.CODE.read_text()


def test_the_code_is_for_no_processor_in_particular():
    assert not re.search(r"target (triple|datalayout)|target-cpu|target-features", compiled.CODE.read_text())


@pytest.mark.parametrize("triple", ["aarch64-unknown-linux-gnu", "arm64-apple-macosx11.0", "x86_64-apple-macosx11.0"])
def test_the_code_compiles_on_other_platforms(triple):
    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()
    machine = llvm.Target.from_triple(triple).create_target_machine(opt=3)
    module = llvm.parse_assembly(compiled.CODE.read_text())
    module.triple, module.data_layout = triple, str(machine.target_data)
    assert len(machine.emit_object(module)) > 5000


def fields_of(structure):
    """Return the names of a structure of the text, in order; each has eight bytes."""
    [body] = re.findall(r"typedef struct \{([^}]*)\} " + structure + ";", TEXT.read_text())
    body = re.sub(r"/\*.*?\*/", "", body, flags=re.DOTALL)
    assert set(re.findall(r"^ +(?:const )?(\w+)", body, flags=re.MULTILINE)) <= {
        "i64",
        "u64",
        "double",
        "column",
        "i32",
        "u32",
    }
    assert not re.search(r"^ +(?:const )?(column|[iu]32) +\w", body, flags=re.MULTILINE)  # these are pointers
    return re.findall(r"\*?(\w+)(?=[,;])", body)


def test_the_layouts_are_those_of_the_text():
    assert [name for name, _ in compiled.Job._fields_] == fields_of("ensemble")
    assert ctypes.sizeof(compiled.Job) == 8 * len(fields_of("ensemble"))
    assert list(COLUMN.names) == fields_of("column")
    assert COLUMN.itemsize == 8 * len(fields_of("column"))


@pytest.mark.parametrize("processor", ["", "x86-64-v3"])
@pytest.mark.parametrize("most", [pytest.param(1 << 20, id="masks"), pytest.param(0, id="walk")])
def test_an_older_processor_gives_the_same_bits(monkeypatch, tmp_path, processor, most):
    if processor and llvm.get_process_triple().partition("-")[0] != "x86_64":
        pytest.skip("the processor is of another kind")
    monkeypatch.setattr(ensemble, "MOST_MASKED_LEAVES", most)
    scorer, _ = scorer_of(models.load(models.random_booster(1, "multiclass", with_categories=False)[0], tmp_path))
    rng = np.random.default_rng(0)
    columns = [rng.normal(size=999) for _ in scorer.ensemble.inputs]
    expected = compiled.raw_scores(scorer.ensemble, columns, len(columns[0]))
    linked = compiled.apply_link(expected, SOFTMAX)
    older = compiled.compile_for(processor)
    monkeypatch.setattr(compiled, "kernel", lambda: older)
    found = compiled.raw_scores(scorer.ensemble, columns, len(columns[0]))
    np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(compiled.apply_link(found, SOFTMAX), linked)


def test_several_threads_give_the_same_bits(monkeypatch, tmp_path):
    scorer, _ = scorer_of(models.load(models.random_booster(2, "regression", with_categories=False)[0], tmp_path))
    rng = np.random.default_rng(0)
    columns = [rng.normal(size=10_007) for _ in scorer.ensemble.inputs]
    found = []
    for threads in (1, 3):
        monkeypatch.setattr(compiled, "native_threads", lambda threads=threads: threads)
        found.append(compiled.raw_scores(scorer.ensemble, columns, len(columns[0])))
    np.testing.assert_array_equal(*found)


def test_nothing_is_written_by_the_first_use(tmp_path):
    script = "from airflow_batch_inference.trees.compiled import kernel; kernel()"
    environment = {**os.environ, "HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path), "TMPDIR": str(tmp_path)}
    before = set(compiled.CODE.parent.rglob("*"))
    subprocess.run([sys.executable, "-B", "-c", script], env=environment, cwd=tmp_path, check=True)
    assert list(tmp_path.iterdir()) == []
    assert set(compiled.CODE.parent.rglob("*")) == before


_FORBIDDEN = """
import ctypes, mmap, struct
from airflow_batch_inference.trees import compiled

class Filter(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("program", ctypes.c_char_p)]

# mprotect with PROT_EXEC is refused, as systemd's MemoryDenyWriteExecute does: load the call's number, then its flags.
steps = [(0x20, 0, 0, 0), (0x15, 0, 3, 10), (0x20, 0, 0, 32), (0x45, 0, 1, mmap.PROT_EXEC),
         (0x06, 0, 0, 0x00050001), (0x06, 0, 0, 0x7FFF0000)]
program = b"".join(struct.pack("HBBI", *step) for step in steps)
libc = ctypes.CDLL(None, use_errno=True)
if libc.prctl(38, 1, 0, 0, 0) or libc.prctl(22, 2, ctypes.byref(Filter(len(steps), program)), 0, 0):
    raise SystemExit(77)
try:
    compiled.kernel()
except compiled.NotCompiledError as error:
    print(error)
"""


@pytest.mark.skipif(sys.platform != "linux" or platform.machine() != "x86_64", reason="the filter is of that system")
def test_a_system_that_forbids_new_code_is_named_before_any_is_run():
    done = subprocess.run([sys.executable, "-c", _FORBIDDEN], capture_output=True, text=True, check=False)
    if done.returncode == 77:
        pytest.skip("this system lets a process set no filter")
    assert done.returncode == 0, done.stderr
    assert "the system forbids this process to make machine code" in done.stdout


def test_an_old_llvmlite_is_named(monkeypatch):
    monkeypatch.setattr("llvmlite.__version__", "0.44.1")
    with pytest.raises(compiled.NotCompiledError, match=r"llvmlite 0\.44\.1 is too old; 0\.45 or later"):
        compiled.compile_for("")


def test_a_child_is_not_locked_out_by_a_thread_that_it_does_not_have():
    script = """if True:
    import os
    from airflow_batch_inference.trees import compiled
    with compiled._lock:
        child = os.fork()
        if not child:
            compiled.kernel()
            os._exit(7)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    """
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "7"


def test_a_python_of_32_bits_is_named(monkeypatch):
    monkeypatch.setattr(compiled.sys, "maxsize", 2**31 - 1)
    with pytest.raises(compiled.NotCompiledError, match="has not 64 bits"):
        compiled.compile_for("")
