from __future__ import annotations

import io
import zipfile

import h5py
import numpy as np
import pytest

from airflow_batch_inference.exceptions import ModelLoadError
from airflow_batch_inference.flavors.keras.weights import WEIGHTS, require_plain_weights

SECRET = b"a secret of this machine"


def saved(path, content):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(WEIGHTS, content)
    return path


def weights(path, write):
    """Save what ``write`` puts beside some plain weights into a ``.keras`` file."""
    memory = io.BytesIO()
    with h5py.File(memory, "w") as file:
        file.create_group("layers/dense/vars")["0"] = np.ones((3, 4))
        write(file)
    return saved(path, memory.getvalue())


def test_plain_weights_pass_also_where_a_group_holds_itself(tmp_path):
    def write(file):
        file["layers/again"] = file["layers"]

    require_plain_weights(weights(tmp_path / "m.keras", write))


def external_storage(file):
    file.create_dataset("x", (len(SECRET),), "u1", external=[("secret.txt", 0, len(SECRET))])


def virtual(file):
    layout = h5py.VirtualLayout((3,), "u1")
    layout[:] = h5py.VirtualSource("secret.h5", "x", (3,))
    file.create_virtual_dataset("x", layout)


def external_link(file):
    file["x"] = h5py.ExternalLink("secret.h5", "/x")


def soft_link(file):
    file["x"] = h5py.SoftLink("/layers")


@pytest.mark.parametrize(
    ("write", "fault"),
    [
        (external_storage, "/x keeps its values in other files"),
        (virtual, "/x keeps its values in other files"),
        (external_link, "/x is a link that may lead out of the file"),
        (soft_link, "/x is a link"),
        (lambda file: file.create_dataset("x", (1 << 40,), "f4", chunks=(1024,)), r"/x is of shape \(1099511627776,\)"),
        (
            lambda file: [file.create_dataset(f"x{n}", (1 << 20,), "f4", chunks=(1024,)) for n in range(9)],
            ".*far more than the",
        ),
    ],
)
def test_weights_that_lie_elsewhere_or_that_no_file_of_this_size_holds_are_refused(tmp_path, write, fault):
    (tmp_path / "secret.txt").write_bytes(SECRET)
    with pytest.raises(ModelLoadError, match=rf"m\.keras is no file that Keras writes: {fault}"):
        require_plain_weights(weights(tmp_path / "m.keras", write))


@pytest.mark.parametrize("content", [b"", b"no HDF5 at all", b"\x89HDF\r\n\x1a\n" + bytes(50)], ids=len)
def test_damaged_weights_are_refused(tmp_path, content):
    with pytest.raises(ModelLoadError, match=r"model\.weights\.h5 in m\.keras is damaged"):
        require_plain_weights(saved(tmp_path / "m.keras", content))
