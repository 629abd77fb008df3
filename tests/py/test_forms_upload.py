# SPDX-License-Identifier: MIT
"""Uploads: where they are kept, what they leave behind."""

import gc
import io
import os
import shutil
import stat

import pytest
from smisk.core.upload import Spool, Upload, Window

DATA = b"first line\nsecond line\n" + bytes(range(256)) * 40


@pytest.fixture(params=["memory", "spool"])
def upload(request, tmp_path):
    folder = tmp_path / "temp"
    folder.mkdir()
    if request.param == "memory":
        return Upload("a.bin", "text/plain", io.BytesIO(DATA), len(DATA), str(folder))
    spool = Spool(str(folder))
    spool.append(b"before")
    spool.append(DATA)
    spool.append(b"after")
    return Upload("a.bin", "text/plain", io.BufferedReader(Window(spool, 6, len(DATA))), len(DATA), str(folder))


def test_upload_reads_in_pieces(upload):
    assert upload.read(5) == b"first"
    assert upload.read(0) == b""
    assert upload.read() == DATA[5:]
    assert upload.read() == b""


def test_upload_file_is_seekable_and_iterable(upload):
    file = upload.file
    assert file.readable()
    assert file.seekable()
    assert [next(file), next(file)] == [b"first line\n", b"second line\n"]
    assert file.seek(-3, os.SEEK_END) == len(DATA) - 3
    assert file.read() == DATA[-3:]
    assert file.seek(len(DATA) + 10) == len(DATA) + 10
    assert file.read() == b""
    assert file.seek(6) == 6
    buffer = bytearray(4)
    assert file.readinto(buffer) == 4
    assert buffer == DATA[6:10]
    target = io.BytesIO()
    file.seek(0)
    shutil.copyfileobj(file, target)
    assert target.getvalue() == DATA


def test_window_seek_before_start_is_refused(tmp_path):
    with pytest.raises(ValueError, match="before its start"):
        Window(Spool(str(tmp_path)), 0, 5).seek(-6, os.SEEK_END)


def test_upload_save_writes_all_and_keeps_the_position(upload, tmp_path):
    upload.read(7)
    target = tmp_path / "saved"
    upload.save(target)
    assert target.read_bytes() == DATA
    assert upload.read(3) == DATA[7:10]


def test_upload_save_replaces_a_file_and_follows_the_umask(upload, tmp_path):
    target = tmp_path / "saved"
    target.write_bytes(b"old")
    previous = os.umask(0o027)
    try:
        upload.save(str(target))
    finally:
        os.umask(previous)
    assert target.read_bytes() == DATA
    assert stat.S_IMODE(target.stat().st_mode) == 0o640


def test_upload_save_that_fails_leaves_nothing(upload, tmp_path):
    (tmp_path / "folder").mkdir()
    before = sorted(os.listdir(tmp_path))
    with pytest.raises(IsADirectoryError):
        upload.save(tmp_path / "folder")
    upload.file.close()
    with pytest.raises(ValueError, match="closed"):
        upload.save(tmp_path / "saved")
    assert sorted(os.listdir(tmp_path)) == before


def test_upload_save_ignores_the_filename(upload, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    upload.filename = "../../escape"
    upload.save("saved")
    assert (tmp_path / "saved").read_bytes() == DATA


def test_upload_path_is_made_when_asked_and_private(upload, tmp_path):
    folder = tmp_path / "temp"
    assert os.listdir(folder) == []
    path = upload["path"]
    assert upload["path"] == path
    assert os.path.dirname(path) == str(folder)
    with open(path, "rb") as file:
        assert file.read() == DATA
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600


def test_upload_path_goes_with_close(upload):
    path = upload["path"]
    upload.close()
    assert not os.path.exists(path)
    upload.close()


def test_upload_path_goes_with_the_upload(tmp_path):
    upload = Upload("a", "", io.BytesIO(DATA), len(DATA), str(tmp_path))
    path = upload["path"]
    del upload
    gc.collect()
    assert not os.path.exists(path)


def test_upload_path_moved_away_is_kept(upload, tmp_path):
    os.rename(upload["path"], tmp_path / "mine")
    upload.close()
    assert (tmp_path / "mine").read_bytes() == DATA


def test_upload_is_a_mapping_of_four_keys(upload):
    assert list(upload) == ["filename", "content_type", "size", "path"]
    assert dict(upload) == {
        "filename": "a.bin",
        "content_type": "text/plain",
        "size": len(DATA),
        "path": upload["path"],
    }
    assert "path" in upload
    assert "other" not in upload
    assert upload.get("size") == len(DATA)
    assert upload.get("other", 1) == 1
    with pytest.raises(KeyError):
        upload["file"]
    assert upload


def test_upload_context_closes_it(upload):
    with upload as same:
        assert same is upload
    assert upload.file.closed
    with pytest.raises(ValueError, match="closed"):
        upload.read()


def test_upload_repr_shows_name_type_and_size(upload):
    assert repr(upload) == f"<Upload 'a.bin' text/plain {len(DATA)} bytes>"


def test_windows_on_one_spool_have_positions_of_their_own(tmp_path):
    spool = Spool(str(tmp_path))
    spool.append(b"aaabbb")
    first, second = Window(spool, 0, 3), Window(spool, 3, 3)
    assert (first.read(2), second.read(2), first.read(), second.read()) == (b"aa", b"bb", b"a", b"b")
    first.close()
    assert second.seek(0) == 0
    assert second.read() == b"bbb"
    with pytest.raises(ValueError, match="closed"):
        first.read(1)


def test_spool_closes_with_its_last_window(tmp_path):
    spool = Spool(str(tmp_path))
    fd = spool.fd
    windows = [Window(spool, 0, 0), Window(spool, 0, 0)]
    del spool
    windows.pop().close()
    os.fstat(fd)
    windows.pop().close()
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(fd)
