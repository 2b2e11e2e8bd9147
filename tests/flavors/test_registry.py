from __future__ import annotations

import gzip
import pickle
import subprocess
import sys
import textwrap

import joblib
import pytest
from sklearn.dummy import DummyRegressor

from airflow_batch_inference.exceptions import FlavorNotFoundError, FlavorNotInstalledError
from airflow_batch_inference.flavors.registry import _FLAVORS, flavor_names, flavor_of, get_flavor, recognise
from airflow_batch_inference.flavors.torch_files import TORCH_LEGACY

TREE = b"tree\nversion=v4\n"
PICKLE = pickle.dumps({"some": "object"})


def write(tmp_path, name, content):
    path = tmp_path / name
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("m.txt", TREE, ("lightgbm", "lightgbm-text")),
        ("m", b"\n" + TREE, ("lightgbm", "lightgbm-text")),
        ("m.2024-01-01", TREE, ("lightgbm", "lightgbm-text")),
        ("m.joblib", PICKLE, ("sklearn", "joblib")),
        ("M.PKL", PICKLE, ("sklearn", "pickle")),
        ("m.pickle", pickle.dumps(1, protocol=2), ("sklearn", "pickle")),
        ("m.skops", b"PK\x03\x04rest", ("sklearn", "skops")),
    ],
)
def test_a_file_is_told_by_its_name_and_its_content(tmp_path, name, content, expected):
    flavor, model_format = recognise(write(tmp_path, name, content))
    assert (flavor.name, model_format.name) == expected


@pytest.mark.parametrize("name", ["m.sav", "m.dat", "M.BIN", "m.p", "m", "m.2024-01-01"])
@pytest.mark.parametrize("compress", [0, "zlib", "gzip", "bz2", "xz"])
def test_a_pickle_is_told_by_its_content_where_its_name_says_nothing(tmp_path, name, compress):
    path = tmp_path / name
    joblib.dump(list(range(100)), path, compress=(compress, 3) if compress else 0)
    for asked in (None, "sklearn"):
        flavor, model_format = recognise(path, flavor=asked)
        assert (flavor.name, model_format.name) == ("sklearn", "joblib" if compress else "pickle")
    with pytest.raises(FlavorNotFoundError, match="no file of the flavor 'lightgbm'"):
        recognise(path, flavor="lightgbm")


@pytest.mark.parametrize("compress", ["zlib", "gzip", "bz2", "xz", "lzma"])
@pytest.mark.parametrize("level", [1, 3, 9])
def test_compressed_joblib_files_are_known(tmp_path, compress, level):
    path = tmp_path / "m.joblib"
    joblib.dump(list(range(100)), path, compress=(compress, level))
    assert recognise(path)[1].name == "joblib"


def test_a_joblib_file_compressed_with_lz4_is_known_by_its_magic_bytes(tmp_path):
    # Frame magic 0x184D2204, little-endian: LZ4 Frame Format Description, "Magic Number".
    assert recognise(write(tmp_path, "m.joblib.lz4", (0x184D2204).to_bytes(4, "little") + b"rest"))[1].name == "joblib"


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        (
            "m.joblib",
            b"PK\x03\x04rest",
            r"name of .*m\.joblib says joblib, but its content does not: it starts with b'PK",
        ),
        ("m.skops", PICKLE, "says skops, but its content does not"),
        ("m.skops", TREE, r"says skops, but its content is lightgbm-text .*\.txt"),
        ("m.pkl", TREE, "says pickle, but its content is lightgbm-text"),
        ("m.txt", PICKLE, r"says lightgbm-text, but its content does not: it is pickle \(sklearn\).*must end in \.pkl"),
        ("m.model", PICKLE, r"says lightgbm-text or .*, but its content does not: it is pickle \(sklearn\)"),
        ("notes.txt", b"Dear reader,\n", "says lightgbm-text, but its content does not: it starts with b'Dear rea'"),
        ("m.onnx", b"\x08\x07", "says onnx, but its content does not"),
        ("m.h5", b"\x89HDF", r"No flavor recognises .*m\.h5.* Known flavors: sklearn, lightgbm, .*; pass flavor="),
        ("m.bin", b"\x80\x09.", "No flavor recognises"),
        ("m.dat", gzip.compress(b"a,b\n1,2\n", mtime=0), "No flavor recognises"),
        ("m.bin", TORCH_LEGACY + PICKLE, "No flavor recognises"),
    ],
)
def test_a_file_whose_name_and_content_disagree_is_refused(tmp_path, name, content, message):
    with pytest.raises(FlavorNotFoundError, match=message):
        recognise(write(tmp_path, name, content))


def test_the_flavor_that_is_asked_for_must_still_accept_the_file(tmp_path):
    with pytest.raises(FlavorNotFoundError, match=r"no file of the flavor 'sklearn'.*It loads joblib: \.joblib"):
        recognise(write(tmp_path, "m.txt", TREE), flavor="sklearn")
    with pytest.raises(FlavorNotFoundError, match="says pickle, but its content is lightgbm-text"):
        recognise(write(tmp_path, "m.pkl", TREE), flavor="lightgbm")


def test_an_unknown_flavor_is_refused_with_those_known():
    with pytest.raises(FlavorNotFoundError, match=r"no flavor 'prophet'\. Known flavors: sklearn, lightgbm"):
        get_flavor("prophet")


def test_telling_a_files_flavor_imports_no_framework(tmp_path):
    paths = [write(tmp_path, "m.txt", TREE), write(tmp_path, "m.joblib", PICKLE)]
    script = (
        "import sys; from pathlib import Path; from airflow_batch_inference.flavors.registry import recognise\n"
        "names = [recognise(Path(name))[0].name for name in sys.argv[1:]]\n"
        "heavy = {'sklearn', 'lightgbm', 'skops', 'joblib', 'scipy', 'keras', 'tensorflow', 'torch', 'h5py'}\n"
        "print(names, sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, *map(str, paths)],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONPATH": ":".join(sys.path)},
    )
    assert done.stdout.strip() == "['lightgbm', 'sklearn'] []"


@pytest.fixture
def third_party(tmp_path, monkeypatch):
    """Install a package with two flavors: one that works, and one whose framework is missing."""
    site = tmp_path / "site"
    info = site / "acme_models-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-models\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[airflow_batch_inference.flavors]\nacme = acme:Acme\nbroken = acme_broken:Broken\nplain = acme:Plain\n"
        "sklearn = acme:Acme\n"
    )
    (site / "acme.py").write_text(
        textwrap.dedent(
            """
            from airflow_batch_inference.flavors.base import Flavor, ModelFormat

            class Acme(Flavor):
                name = "acme"
                formats = (ModelFormat(name="acme", suffixes=(".acme",), trust="data"),)
                load = None

                def recognise(self, path, head):
                    return self.formats[0] if head.startswith(b"ACME") and self.formats[0].names(path) else None

            class Plain:
                name = "plain"
            """
        )
    )
    (site / "acme_broken.py").write_text("import acme_runtime\n")
    monkeypatch.syspath_prepend(site)
    yield
    sys.modules.pop("acme", None)


@pytest.mark.usefixtures("third_party")
def test_other_packages_add_flavors_by_entry_point_but_replace_none(tmp_path):
    assert flavor_names() == (*_FLAVORS.built_in, "acme", "broken", "plain")
    assert recognise(write(tmp_path, "m.acme", b"ACME1"))[0].name == "acme"
    assert get_flavor("sklearn").name == "sklearn"
    with pytest.raises(FlavorNotInstalledError, match=r"'broken' of the package acme-models .*acme_runtime"):
        get_flavor("broken")
    with pytest.raises(FlavorNotFoundError, match=r"'plain' \(acme:Plain\) is none: derive .*base\.Flavor"):
        get_flavor("plain")


@pytest.mark.usefixtures("third_party")
def test_a_flavor_wraps_the_objects_in_memory_that_it_accepts():
    assert flavor_of(DummyRegressor()).name == "sklearn"
    assert flavor_of(object()) is None
