"""A signature covers every file of a model's folder, or the folder is refused."""

from __future__ import annotations

import base64
import json
import unicodedata

import model_signing.hashing
import model_signing.signing
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from airflow_batch_inference.exceptions import UntrustedModelError
from airflow_batch_inference.models.local_copy import private_copy
from airflow_batch_inference.models.signing import SignatureCheck, verify_signature
from airflow_batch_inference.storage.store import Storage

STORE = Storage()


@pytest.fixture
def key(tmp_path):
    made = ec.generate_private_key(ec.SECP256R1())
    (tmp_path / "key.pem").write_bytes(
        made.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    (tmp_path / "key.pub").write_bytes(
        made.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    )
    return tmp_path / "key.pem"


@pytest.fixture
def folder(tmp_path):
    made = tmp_path / "models" / "churn"
    (made / "code").mkdir(parents=True)
    (made / "MLmodel").write_text("flavors: {}")
    (made / "model.txt").write_text("tree")
    (made / "code" / "pré.py").write_text("x = 1")
    return made


def sign(folder, key, *, hashing=None, signature=None):
    signature = signature or folder.parent / "churn.sig"
    config = model_signing.signing.Config().use_elliptic_key_signer(private_key=key)
    if hashing is not None:
        config.set_hashing_config(hashing)
    config.sign(folder, signature)
    return signature


def verify(folder, signature):
    """Verify a folder as loading does: its private copy."""
    check = SignatureCheck(signature_uri=str(signature), public_key_uri=str(signature_key(folder)))
    with private_copy(str(folder), STORE) as copy:
        return verify_signature(copy.path, check, storage=STORE, where=f"file://{folder}")


def signature_key(folder):
    return folder.parents[1] / "key.pub"


def hashing():
    return model_signing.hashing.Config()


WAYS = {
    "as model_signing does it": lambda: None,
    "with all files": lambda: hashing().set_ignored_paths(paths=[], ignore_git_paths=False),
    "by shards": lambda: hashing().use_shard_serialization(shard_size=3),
    "by shards, with all files": (
        lambda: hashing().use_shard_serialization(shard_size=3).set_ignored_paths(paths=[], ignore_git_paths=False)
    ),
    "by blake2": lambda: hashing().use_file_serialization(hashing_algorithm="blake2"),
}
ADDED = (
    ".git/hooks/x", ".git/config", ".gitattributes", ".gitignore", ".github/workflows/x.yml", ".hidden", "code/.git/x",
    "code/.gitattributes", "code/evil.py", "evil.py", "model.sig", "churn.sig", "MLMODEL", "mlmodel", "Model.txt",
    "code/__pycache__/x.pyc", ".git", ".GIT/x", "model.txt.bak", " MLmodel", "x" * 200,
)  # fmt: skip


@pytest.mark.parametrize("way", WAYS)
def test_a_folder_as_it_was_signed_is_good(folder, key, way):
    assert verify(folder, sign(folder, key, hashing=WAYS[way]())).startswith("key sha256:")


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("added", ADDED)
def test_a_file_that_was_added_is_refused_and_named(folder, key, way, added):
    signature = sign(folder, key, hashing=WAYS[way]())
    path = folder / added
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("import os")
    with pytest.raises(UntrustedModelError, match="does not cover 1 file") as caught:
        verify(folder, signature)
    assert repr(added) in str(caught.value)


@pytest.mark.parametrize("way", WAYS)
def test_an_empty_file_that_was_added_is_refused(folder, key, way):
    signature = sign(folder, key, hashing=WAYS[way]())
    (folder / "code" / "__init__.py").touch()
    with pytest.raises(UntrustedModelError, match=r"code/__init__\.py"):
        verify(folder, signature)


def test_an_empty_folder_that_was_added_is_not_copied_and_so_not_loaded(folder, key):
    signature = sign(folder, key)
    (folder / "empty").mkdir()
    with private_copy(str(folder), STORE) as copy:
        assert not (copy.path / "empty").exists()
    verify(folder, signature)


def test_a_file_that_the_signer_left_out_is_refused(folder, key):
    (folder / "README.md").write_text("hello")
    way = hashing().set_ignored_paths(paths=["README.md"])
    signature = sign(folder, key, hashing=way)
    with pytest.raises(UntrustedModelError, match=r"does not cover 1 file\(s\) of the folder: 'README\.md'"):
        verify(folder, signature)


def test_files_of_git_that_were_there_are_refused_with_the_way_to_sign_them(folder, key):
    (folder / ".gitattributes").write_text("*.bin filter=lfs")
    signature = sign(folder, key)
    with pytest.raises(UntrustedModelError, match=r"'\.gitattributes'.*--no-ignore-git-paths"):
        verify(folder, signature)
    verify(folder, sign(folder, key, hashing=WAYS["with all files"]()))


@pytest.mark.parametrize("change", ["changed", "removed", "renamed", "other form"])
def test_a_file_that_was_changed_removed_or_renamed_is_refused(folder, key, change):
    signature = sign(folder, key)
    path = folder / "code" / "pré.py"
    if change == "changed":
        path.write_text("x = 2")
    elif change == "removed":
        path.unlink()
    elif change == "renamed":
        path.rename(folder / "code" / "PRÉ.py")
    else:
        path.rename(folder / "code" / unicodedata.normalize("NFD", "pré.py"))
    with pytest.raises(UntrustedModelError, match="does not prove"):
        verify(folder, signature)


def test_the_signature_itself_may_lie_in_the_folder_under_any_name_of_its_own(folder, key):
    for name in ("model.sig", "code/signature.json"):
        inside = folder / name
        ignoring = hashing().set_ignored_paths(paths=[inside.relative_to(folder)])
        sign(folder, key, hashing=ignoring, signature=inside)
        verify(folder, inside)
        inside.unlink()


def test_a_signature_in_the_folder_lets_no_other_file_in(folder, key):
    inside = folder / "model.sig"
    sign(folder, key, hashing=hashing().set_ignored_paths(paths=["model.sig"]), signature=inside)
    outside = folder.parent / "copy.sig"
    outside.write_bytes(inside.read_bytes())
    with pytest.raises(UntrustedModelError, match=r"'model\.sig'"):  # the one that is asked for lies elsewhere
        verify(folder, outside)
    (folder / "model2.sig").write_bytes(inside.read_bytes())
    with pytest.raises(UntrustedModelError, match=r"'model2\.sig'"):
        verify(folder, inside)


def test_what_a_signature_says_before_it_is_verified_decides_nothing(folder, key):
    """Whoever can write the folder can write the signature too: only the signer's own words count."""
    signature = sign(folder, key)
    (folder / "evil.py").write_text("import os")
    bundle = json.loads(signature.read_text())
    payload = json.loads(base64.b64decode(bundle["dsseEnvelope"]["payload"]))
    payload["predicate"]["serialization"]["ignore_paths"] = ["evil.py"]
    forged = json.loads(signature.read_text())
    forged["dsseEnvelope"]["payload"] = base64.b64encode(json.dumps(payload).encode()).decode()
    doubled = signature.read_text().replace(
        '"payload":', f'"payload": {json.dumps(forged["dsseEnvelope"]["payload"])}, "payload":'
    )
    after = (
        signature.read_text().rstrip().removesuffix("}")
        + f', "dsseEnvelope": {json.dumps(forged["dsseEnvelope"])}'
        + "}"
    )
    for text in (json.dumps(forged), doubled, after, "{}", "[]", "", "\0", json.dumps({"dsseEnvelope": 7})):
        signature.write_text(text)
        with pytest.raises(UntrustedModelError, match="does not prove"):
            verify(folder, signature)


def test_two_files_of_one_name_on_this_disk_are_refused(folder, monkeypatch):
    monkeypatch.setattr(Storage, "list_files", lambda self, uri, known=Storage.list_files: known(self, uri) * 2)
    with pytest.raises(UntrustedModelError, match="one name on this disk"), private_copy(str(folder), STORE):
        pass
