"""What makes another job of a script, and what must not change while one runs: code, model, input, settings."""

from __future__ import annotations

import pytest
from script_bench import ECHO

from airflow_batch_inference.exceptions import (
    ArtifactIntegrityError,
    DataError,
)
from airflow_batch_inference.scripts.job import run_script
from airflow_batch_inference.storage.store import Storage


@pytest.mark.parametrize("change", ["script", "helper", "model", "input", "variable", "output"])
def test_what_determines_the_output_makes_another_job(bench, change):
    bench.write_files(2)
    bench.script("X = 1\n", name="helper.py", with_notes=False)
    script = bench.script("import helper\n" + ECHO)
    model = bench.folder / "model.bin"
    model.write_bytes(b"one")
    arguments = {"code": str(bench.folder / "code"), "model": str(model)}
    first, _ = bench.run(script, **arguments)
    if change == "script":
        bench.script("import helper\n" + ECHO + "\n# changed\n")
    elif change == "helper":
        bench.script("X = 2\n", name="helper.py", with_notes=False)
    elif change == "model":
        model.write_bytes(b"two")
    elif change == "input":
        (bench.input / "001.txt").write_text("changed")
    else:
        arguments |= {"environment": {"X": "2"}} if change == "variable" else {"header": False}
    second, _ = bench.run(script, attempt="2", **arguments)
    assert first != second
    assert len(bench.calls()) == 2


def test_compiled_files_beside_the_code_make_no_other_job(bench):
    bench.write_files(2)
    script = bench.script(ECHO)
    first, _ = bench.run(script, code=str(bench.folder / "code"))
    cache = bench.folder / "code" / "__pycache__" / "score.cpython-311.pyc"
    cache.parent.mkdir(exist_ok=True)
    cache.write_bytes(b"anything")
    assert bench.run(script, code=str(bench.folder / "code"), attempt="2")[0] == first


def test_secret_variables_are_in_no_file_of_the_job(bench):
    bench.write_files(1)
    bench.run(bench.script(ECHO), environment={"TOKEN": "hunter2-canary"})
    assert not [path for path in bench.root.rglob("*") if path.is_file() and b"hunter2-canary" in path.read_bytes()]


def test_a_file_that_changes_while_it_is_scored_fails_the_job(bench):
    bench.write_files(2)
    script = bench.script("""
        def run(mini_batch):
            Path(mini_batch[1]).write_text("changed meanwhile")
            return mini_batch
    """)
    with pytest.raises(DataError, match=r"001\.txt was changed while it was being scored"):
        bench.run(script)
    assert bench.committed() == bench.receipts() == []


def test_code_that_changes_before_a_worker_is_replaced_fails_the_job(bench):
    bench.write_files(1)
    script = bench.script("""
        def run(mini_batch):
            Path(__file__).with_name("helper.py").write_text("X = 2")
            os._exit(1)
    """)
    with pytest.raises(ArtifactIntegrityError, match="was changed since the job began"):
        bench.run(script, code=str(bench.folder / "code"))


@pytest.mark.parametrize(
    "change",
    [
        "status = os.stat(path); path.write_text('X = 2'); os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))",
        "path.with_name('new').write_text('X = 2'); path.with_name('new').replace(path)",
        "path.unlink(); path = path.parent / 'helper' / '__init__.py'; path.parent.mkdir(); path.write_text('X = 2')",
    ],
)
def test_code_that_changes_before_a_script_imports_it_fails_the_job(bench, change):
    bench.write_files(1)
    script = bench.script(f"""
        def run(mini_batch):
            path = Path(__file__).with_name("helper.py")
            {change}
            import helper
            return [helper.X] * len(mini_batch)
    """)
    (bench.folder / "code" / "helper.py").write_text("X = 1")
    with pytest.raises(ArtifactIntegrityError, match=r"helper\.py was changed since the job began.*in code"):
        bench.run(script, code=str(bench.folder / "code"))
    assert bench.committed() == bench.receipts() == []


def test_large_files_among_the_code_are_not_read_into_memory(bench, monkeypatch):
    bench.write_files(1)
    script = bench.script(ECHO)
    with (bench.folder / "code" / "vectors.bin").open("wb") as file:
        file.truncate(1 << 20)
    asked = []
    monkeypatch.setattr(
        Storage, "read_bytes", lambda self, uri, read=Storage.read_bytes: asked.append(uri) or read(self, uri)
    )
    bench.run(script, code=str(bench.folder / "code"))
    assert asked
    assert not [uri for uri in asked if uri.endswith("vectors.bin")]


def test_a_model_record_that_names_other_bytes_is_refused(bench):
    from dataclasses import replace

    bench.write_files(1)
    model = bench.folder / "model.bin"
    model.write_bytes(b"one")
    request = bench.request(bench.script(ECHO), model=str(model))
    request = replace(request, scorer=replace(request.scorer, model_sha256="0" * 64))
    with pytest.raises(ArtifactIntegrityError, match="was replaced since its record was made"):
        run_script(request, storage=Storage())
