from __future__ import annotations

import stat
import warnings
import zipfile

import pytest

from airflow_batch_inference.exceptions import ModelLoadError
from airflow_batch_inference.flavors.archives import members, read_member, require_sound


def archive(path, entries, kind=zipfile.ZIP_STORED):
    with warnings.catch_warnings(), zipfile.ZipFile(path, "w", kind) as file:
        warnings.simplefilter("ignore", UserWarning)  # zipfile's own on a name that is there twice
        for name, content in entries:
            file.writestr(name, content)
    return path


def test_an_archive_of_plain_members_is_sound(tmp_path):
    path = archive(tmp_path / "m.zip", [("config.json", b"{}"), ("assets/a/words.txt", b"x" * 5000)])
    require_sound(path, reads_all=True)
    assert members(path) == ("config.json", "assets/a/words.txt")
    assert read_member(path, "config.json", most_bytes=2) == b"{}"


@pytest.mark.parametrize(
    "name", ["../x", "/etc/x", "a/../../x", "a\\..\\x", "C:/x", "a//x", "./x"], ids=lambda name: name.replace("/", "_")
)
def test_a_member_that_leads_out_is_refused(tmp_path, name):
    with pytest.raises(ModelLoadError, match=r"m\.zip is no archive that its framework writes: .* leads out of it"):
        require_sound(archive(tmp_path / "m.zip", [("ok", b""), (name, b"")]))


def test_a_name_that_is_there_twice_is_refused(tmp_path):
    with pytest.raises(ModelLoadError, match=r"'config\.json' is in it twice"):
        require_sound(archive(tmp_path / "m.zip", [("config.json", b"1"), ("config.json", b"2")]))


def test_a_bomb_is_refused_before_it_is_unpacked(tmp_path):
    path = archive(tmp_path / "m.zip", [("weights", bytes(20 << 20))], zipfile.ZIP_DEFLATED)
    with pytest.raises(ModelLoadError, match=r"'weights' unpacks from \d+ to 20971520 bytes"):
        require_sound(path)
    assert read_member(path, "weights", most_bytes=1000) is None


def test_many_small_bombs_are_one(tmp_path):
    entries = [(f"{number}.npy", bytes(1 << 18)) for number in range(8)]
    path = archive(tmp_path / "m.zip", entries, zipfile.ZIP_DEFLATED)
    require_sound(path, free_bytes=2 << 20)
    with pytest.raises(ModelLoadError, match=r"'\d\.npy' unpacks from \d+ to 262144 bytes"):
        require_sound(path)


def test_a_link_is_refused(tmp_path):
    entry = zipfile.ZipInfo("assets/words.txt")
    entry.external_attr = (stat.S_IFLNK | 0o777) << 16
    with pytest.raises(ModelLoadError, match=r"'assets/words\.txt' is a link"):
        require_sound(archive(tmp_path / "m.zip", [(entry, "/etc/passwd")]))


def test_an_encrypted_member_is_refused(tmp_path):
    path = archive(tmp_path / "m.zip", [("config.json", b"{}")])
    content = bytearray(path.read_bytes())
    content[content.index(b"PK\x01\x02") + 8] |= 1  # the flags in the directory
    path.write_bytes(content)
    with pytest.raises(ModelLoadError, match=r"'config\.json' is encrypted"):
        require_sound(path)
    assert read_member(path, "config.json", most_bytes=10) is None


def test_a_changed_byte_is_noticed_by_its_checksum(tmp_path):
    path = archive(tmp_path / "m.zip", [("weights", b"x" * 100)])
    path.write_bytes(path.read_bytes().replace(b"xxxxx", b"xxyxx", 1))
    require_sound(path)
    with pytest.raises(ModelLoadError, match="checksum of 'weights' is wrong"):
        require_sound(path, reads_all=True)
    assert read_member(path, "weights", most_bytes=1000) is None


def test_what_is_no_archive_has_no_members(tmp_path):
    path = tmp_path / "m.zip"
    path.write_bytes(b"PK\x03\x04 and then nothing")
    assert members(path) == ()
    assert read_member(path, "config.json", most_bytes=10) is None
    with pytest.raises(ModelLoadError, match=r"m\.zip is a damaged zip archive"):
        require_sound(path)
