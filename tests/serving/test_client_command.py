"""The client as a command: a file, or one line that says what to do."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import grpc
import numpy as np
import pytest
from PIL import Image

from serving import client_command
from serving.channels import Tls
from serving.client import Client, Error
from tests.support.fake_server import FakeServer, paint

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def server():
    with FakeServer() as running:
        yield running


@pytest.fixture
def command(server, tmp_path, capsys):
    """Runs the command on the server; the exit code and what it said."""

    def run(*arguments, out="picture.png"):
        settings = [f"--server={server.target}", "--model=m", f"--out={tmp_path / out}"]
        code = client_command.main([*settings, *arguments])
        said = capsys.readouterr()
        return code, said.out if code == 0 else said.err

    return run


def read(path):
    with Image.open(path) as image:
        return np.array(image)


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    """A folder with an authority, a server's and a client's certificate of it, and their keys."""
    if not shutil.which("openssl"):
        pytest.skip("openssl is not installed")
    folder = tmp_path_factory.mktemp("certificates")

    def openssl(*arguments):
        subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True, timeout=60)

    new = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
    for authority in ("ca", "other"):
        openssl(*new, "-subj", f"/CN={authority}", "-keyout", f"{authority}.key", "-out", f"{authority}.pem")
    for name in ("localhost", "client"):
        openssl(*new, "-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{name}", "-CA", "ca.pem", "-CAkey",
                "ca.key", "-keyout", f"{name}.key", "-out", f"{name}.pem")  # fmt: skip
    return folder


def test_a_small_picture_is_the_servers_own_file(command, server, tmp_path):
    found = command("--height=30", "--width=20", "--top=-7", "--left=9", "--seed=3", "--texture=5")
    assert found == (0, f"{tmp_path / 'picture.png'}\n")
    np.testing.assert_array_equal(read(tmp_path / "picture.png"), paint(4, 5, -7, 9, 30, 20))
    assert [signature for signature, _, _ in server.seen] == ["describe", "window_png"]


def test_a_large_picture_comes_in_pieces(command, server, tmp_path):
    assert command("--height=300", "--width=200", "--top=-7", "--parallel=2")[0] == 0
    np.testing.assert_array_equal(read(tmp_path / "picture.png"), paint(1, 0, -7, 0, 300, 200))
    assert server.most <= 2


def test_a_jpeg_looks_the_same_small_and_large(command, tmp_path):
    command("--height=300", "--width=200", out="large.jpg")
    command("--height=60", "--width=50", out="small.JPEG")
    for name, extent in (("large.jpg", (300, 200)), ("small.JPEG", (60, 50))):
        with Image.open(tmp_path / name) as image:
            assert image.format == "JPEG"
            assert (image.height, image.width) == extent


def test_tiles_and_morphs_are_asked_for_by_their_signatures(command, server):
    assert command("--height=32", "--width=64", "--torus")[0] == 0
    assert command("--height=32", "--width=64", "--morph=1,-7/9,30")[0] == 0
    assert [signature for signature, _, _ in server.seen[1::2]] == ["torus_png", "morph_png"]
    assert server.seen[3][1]["textures"] == [1, -7, 9, 30]
    assert command("--height=320", "--width=64", "--morph=1,-7/9,30")[0] == 0


def test_a_version_is_asked_for(command, server):
    server.versions = [1, 2]
    assert command("--height=9", "--width=9", "--version=1")[0] == 0
    assert {version for _, _, version in server.seen} == {1}
    assert command("--version=7")[0] == 2


@pytest.mark.parametrize(
    "arguments, out, words",
    [
        (["--height=0"], "a.png", "height: 0 is outside 1 .."),
        (["--height=x"], "a.png", "argument --height: invalid int value: 'x' (--help lists all flags)"),
        (["--heigh=5"], "a.png", "unrecognized arguments: --heigh=5"),
        (["--model=other"], "a.png", "NOT_FOUND: other: no version 1; correct the model's name or version."),
        (["--server=localhost"], "a.png", "server: 'localhost' is no address"),
        ([], "a.gif", "cannot write the suffix '.gif'; use one of .png, .jpg, .jpeg."),
        ([], "no/a.png", "the folder "),
        (["--height=30000", "--width=30000"], "a.png", "30000x30000 are more than 400000000 pixels"),
        (["--height=70000"], "a.jpg", "a JPEG's sides end at 65535 pixels; use .png"),
        (["--torus", "--top=4"], "a.png", "torus: --top does not go with an exact tile"),
        (["--morph=1,2,3"], "a.png", "morph: '1,2,3' is not four textures; write the corners as 1,7/9,30."),
        (["--morph=1,7/9,30", "--left=4"], "a.png", "leave --top and --left out"),
        (["--tls_cert=c.pem"], "a.png", "tls_key: missing; tls_cert needs it"),
        ([f"--tls_ca={__file__}"], "a.png", "tls_ca: not what is wanted (NO_CERTIFICATE_OR_CRL_FOUND); give PEM"),
        (["--seed=9223372036854775808"], "a.png", "seed: 9223372036854775808 is outside"),
    ],
)
def test_a_users_mistake_is_one_line_and_leaves_no_file(command, tmp_path, arguments, out, words):
    code, said = command(*arguments, out=out)
    assert code == 2
    assert said.startswith("error: ")
    assert said.count("\n") == 1
    assert words in said
    assert list(tmp_path.iterdir()) == []


def test_failures_of_the_server_and_of_files_are_another_code(command, server, tmp_path):
    server.faults = [grpc.StatusCode.UNAVAILABLE]
    code, said = command("--retries=0")
    assert (code, said.count("\n")) == (1, 1)
    assert "UNAVAILABLE: a fault of two lines; start the server there" in said
    server.description = {"no": "limits"}
    assert command()[0] == 1
    assert command("--tls_ca=nowhere.pem") == (1, "error: nowhere.pem: No such file or directory.\n")
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_was_there_stays_where_the_new_one_cannot_be_made(command, server, tmp_path):
    (tmp_path / "picture.png").write_bytes(b"old")
    server.faults = [None, grpc.StatusCode.INTERNAL]
    assert command("--height=300")[0] == 1
    assert (tmp_path / "picture.png").read_bytes() == b"old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["picture.png"]


def test_a_picture_is_there_whole_or_not_at_all(command, tmp_path, monkeypatch):
    def full(_):
        raise OSError(28, "No space left on device", "picture.png")

    (tmp_path / "picture.png").write_bytes(b"old")
    monkeypatch.setattr(client_command.os, "fsync", full)
    assert command() == (1, "error: picture.png: No space left on device.\n")
    assert (tmp_path / "picture.png").read_bytes() == b"old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["picture.png"]


def test_the_command_runs_without_a_traceback_and_without_other_words(server, tmp_path):
    def run(*arguments):
        line = [sys.executable, "-m", "serving.client", "--model=m", f"--out={tmp_path / 'a.png'}", *arguments]
        return subprocess.run(line, cwd=ROOT, capture_output=True, text=True, timeout=60)

    made = run(f"--server={server.target}", "--height=70", "--width=70")
    assert (made.returncode, made.stdout, made.stderr) == (0, f"{tmp_path / 'a.png'}\n", "")
    failed = run("--server=localhost:1", "--retries=0")
    assert (failed.returncode, failed.stdout, failed.stderr.count("\n")) == (1, "", 1), failed.stderr
    assert "localhost:1: UNAVAILABLE: " in failed.stderr
    assert "--tls_ca" in run("--help").stdout


def test_a_server_that_is_not_trusted_is_one_line_too(certificates, tmp_path):
    pair = tuple((certificates / f"localhost.{kind}").read_bytes() for kind in ("key", "pem"))
    with FakeServer(grpc.ssl_server_credentials([pair])) as server:
        line = [sys.executable, "-m", "serving.client", f"--server={server.target}", "--model=m", "--retries=0",
                f"--out={tmp_path / 'a.png'}", f"--tls_ca={certificates / 'other.pem'}"]  # fmt: skip
        done = subprocess.run(line, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1), done.stderr
    assert "CERTIFICATE_VERIFY_FAILED" in done.stderr


def test_a_certificate_and_anothers_key_are_refused(certificates):
    with pytest.raises(ValueError, match=r"tls_cert, tls_key: .* \(KEY_VALUES_MISMATCH\); give PEM files that belong"):
        Client("localhost:1", "m", tls=Tls(None, certificates / "client.pem", certificates / "ca.key"))


@pytest.mark.parametrize("mutual", [False, True])
def test_tls_trusts_the_given_authority_and_shows_the_given_certificate(certificates, mutual, tmp_path):
    pair = tuple((certificates / f"localhost.{kind}").read_bytes() for kind in ("key", "pem"))
    credentials = grpc.ssl_server_credentials([pair], (certificates / "ca.pem").read_bytes(), mutual)
    ours = (certificates / "client.pem", certificates / "client.key") if mutual else (None, None)
    with FakeServer(credentials) as server:
        with Client(server.target, "m", tls=Tls(certificates / "ca.pem", *ours)) as client:
            np.testing.assert_array_equal(client.window(0, 0, 0, 0, 5, 5), paint(1, 0, 0, 0, 5, 5))
        wrong = [None, Tls(certificates / "other.pem", *ours), *([Tls(certificates / "ca.pem")] if mutual else [])]
        for tls in wrong:
            with Client(server.target, "m", tls=tls, retries=0) as client, pytest.raises(Error, match="UNAVAILABLE"):
                client.window(0, 0, 0, 0, 5, 5)
        flags = [f"--tls_ca={certificates / 'ca.pem'}", f"--out={tmp_path / 'a.png'}", "--model=m", "--height=9"]
        flags += [f"--tls_cert={ours[0]}", f"--tls_key={ours[1]}"] if mutual else []
        assert client_command.main([f"--server={server.target}", *flags]) == 0
    assert os.listdir(tmp_path) == ["a.png"]
