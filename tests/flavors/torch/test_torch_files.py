from __future__ import annotations

import collections
import os
import pickle
import zipfile

import pytest
import safetensors.torch
import torch
from cases_torch import export, torch_network

from airflow_batch_inference.flavors.torch_files import imported, kind


def told(path):
    return kind(path, path.read_bytes()[:64])


@pytest.mark.parametrize(
    ("save", "expected"),
    [
        (lambda net, path: torch.save(net, path), "pickle"),
        (lambda net, path: torch.save(net, path, _use_new_zipfile_serialization=False), "pickle"),
        (lambda net, path: torch.save(net.state_dict(), path), "state-dict"),
        (lambda net, path: torch.save(dict(net.named_parameters()), path), "state-dict"),
        (lambda net, path: torch.save({"weights": net.state_dict(), "run": collections.Counter()}, path), "pickle"),
        (lambda net, path: torch.jit.script(net).save(path), "torchscript"),
        (export, "exported"),
        (lambda net, path: safetensors.torch.save_file(net.state_dict(), path), "safetensors"),
    ],
)
def test_the_kind_of_a_file_is_told_by_its_content(tmp_path, save, expected):
    path = tmp_path / "net.pt2"
    save(torch_network(), path)
    assert told(path) == expected


@pytest.mark.parametrize("content", [b"", b"tree\n", pickle.dumps({"a": 1}), b"PK\x03\x04rest", b"\x08" + bytes(7)])
def test_other_files_are_none(tmp_path, content):
    path = tmp_path / "net.pt"
    path.write_bytes(content)
    assert told(path) is None


@pytest.mark.parametrize("size", [0, 10**10, 2**63, 200])
def test_a_header_that_does_not_fit_into_the_file_is_no_safetensors(tmp_path, size):
    path = tmp_path / "net.safetensors"
    path.write_bytes(size.to_bytes(8, "little") + b"{" + bytes(99))
    assert told(path) is None


def test_another_archive_is_none(tmp_path):
    path = tmp_path / "net.pt"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", "{}")
    assert told(path) is None


class Payload:
    def __reduce__(self):
        return os.system, ("true",)


@pytest.mark.parametrize("is_zip", [True, False])
def test_what_a_pickle_would_import_is_listed(tmp_path, is_zip):
    path = tmp_path / "net.pt"
    torch.save([torch.zeros(1), Payload()], path, _use_new_zipfile_serialization=is_zip)
    assert told(path) == "pickle"
    assert {"posix.system", "torch._utils._rebuild_tensor_v2"} <= set(imported(path))


def test_a_damaged_pickle_lists_what_was_seen_before_the_damage(tmp_path):
    path = tmp_path / "net.pt"
    torch.save(Payload(), path, _use_new_zipfile_serialization=False)
    content = path.read_bytes()
    path.write_bytes(content[: content.rindex(b"true")])
    assert "posix.system" in imported(path)
