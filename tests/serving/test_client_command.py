"""The command psgan-client: a file, or one line with the remedy."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import grpc
import numpy as np
import pytest
from PIL import Image

from tests.support.fake_server import FakeServer, paint
from tf_psgan_serving.client import Client, ServingError, picture_file
from tf_psgan_serving.client import command as command_line
from tf_psgan_serving.client.channels import Tls

SERVING = Path(__file__).resolve().parents[2] / "serving"
ENVIRONMENT = os.environ | {"PYTHONPATH": str(SERVING)}


@pytest.fixture
def server():
    with FakeServer() as running:
        yield running


@pytest.fixture
def command(server, tmp_path, capsys):
    """Runs the command on the server; the exit code, and standard output or error."""

    def run(*arguments, out="picture.png"):
        settings = [f"--server={server.target}", "--model=m", f"--out={tmp_path / out}"]
        code = command_line.main([*settings, *arguments])
        printed = capsys.readouterr()
        return code, printed.out if code == 0 else printed.err

    return run


def read(path):
    with Image.open(path) as image:
        return np.array(image)


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    """A folder with an authority, certificates of a server and a client signed by it, and their keys."""
    if not shutil.which("openssl"):
        pytest.skip("openssl is not installed")
    folder = tmp_path_factory.mktemp("certificates")

    def openssl(*arguments):
        subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True, timeout=300)

    new = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
    for authority in ("ca", "other"):
        openssl(*new, "-subj", f"/CN={authority}", "-keyout", f"{authority}.key", "-out", f"{authority}.pem")
    for name in ("localhost", "client"):
        openssl(*new, "-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{name}", "-CA", "ca.pem", "-CAkey",
                "ca.key", "-keyout", f"{name}.key", "-out", f"{name}.pem")  # fmt: skip
    return folder


def test_a_small_picture_is_encoded_by_the_server(command, server, tmp_path):
    found = command("--height=30", "--width=20", "--top=-7", "--left=9", "--seed=3", "--texture=5")
    assert found == (0, f"{tmp_path / 'picture.png'}\n")
    np.testing.assert_array_equal(read(tmp_path / "picture.png"), paint(4, 5, -7, 9, 30, 20))
    assert [signature for signature, _, _ in server.seen] == ["describe", "window_png"]


def test_a_large_picture_is_requested_in_pieces(command, server, tmp_path):
    assert command("--height=300", "--width=200", "--top=-7", "--parallel=2")[0] == 0
    np.testing.assert_array_equal(read(tmp_path / "picture.png"), paint(1, 0, -7, 0, 300, 200))
    assert server.most <= 2


def test_small_and_large_jpegs_have_the_requested_size(command, tmp_path):
    command("--height=300", "--width=200", out="large.jpg")
    command("--height=60", "--width=50", out="small.JPEG")
    for name, extent in (("large.jpg", (300, 200)), ("small.JPEG", (60, 50))):
        with Image.open(tmp_path / name) as image:
            assert image.format == "JPEG"
            assert name != "large.jpg" or "icc_profile" in image.info
            assert (image.height, image.width) == extent


def test_tiles_and_morphs_are_requested_by_their_signatures(command, server):
    assert command("--height=32", "--width=64", "--tile")[0] == 0
    assert command("--height=32", "--width=64", "--morph=1,-7/9,30")[0] == 0
    assert [signature for signature, _, _ in server.seen[1::2]] == ["torus_png", "morph_png"]
    assert server.seen[3][1]["textures"] == [1, -7, 9, 30]
    assert command("--height=320", "--width=64", "--morph=1,-7/9,30")[0] == 0


def test_a_version_is_requested(command, server):
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
        (["--server=localhost"], "a.png", "server: 'localhost' is not an address"),
        ([], "a.gif", "unknown suffix '.gif'; use one of .png, .jpg, .jpeg."),
        ([], "no/a.png", "the folder "),
        (["--height=30000", "--width=30000"], "a.png", "30000x30000 are more than 400000000 pixels"),
        (["--height=70000"], "a.jpg", "a JPEG has at most 65535 pixels a side; use .png"),
        (["--tile", "--top=4"], "a.png", "tile: excludes --top; leave one out."),
        (["--morph=1,2,3"], "a.png", "morph: '1,2,3' is not four textures; write the corners as 1,7/9,30."),
        (["--morph=1,7/9,30", "--left=4"], "a.png", "morph: excludes --top and --left"),
        (["--tls_cert=c.pem"], "a.png", "tls_key: missing, but tls_cert is given"),
        ([f"--tls_ca={__file__}"], "a.png", "tls_ca: unusable (NO_CERTIFICATE_OR_CRL_FOUND); give PEM"),
        (["--seed=9223372036854775808"], "a.png", "seed: 9223372036854775808 is outside"),
    ],
)
def test_a_user_error_is_one_line_and_leaves_no_file(command, tmp_path, arguments, out, words):
    code, printed = command(*arguments, out=out)
    assert code == 2
    assert printed.startswith("error: ")
    assert printed.count("\n") == 1
    assert words in printed
    assert list(tmp_path.iterdir()) == []


def test_failures_of_the_server_and_of_files_exit_with_1(command, server, tmp_path):
    server.faults = [grpc.StatusCode.UNAVAILABLE]
    code, printed = command("--retries=0")
    assert (code, printed.count("\n")) == (1, 1)
    assert "UNAVAILABLE: a fault of two lines; start the server there" in printed
    server.description = {"no": "limits"}
    assert command()[0] == 1
    assert command("--tls_ca=nowhere.pem") == (1, "error: nowhere.pem: No such file or directory.\n")
    assert list(tmp_path.iterdir()) == []


def test_an_existing_file_stays_if_the_new_one_cannot_be_made(command, server, tmp_path):
    (tmp_path / "picture.png").write_bytes(b"old")
    server.faults = [None, grpc.StatusCode.INTERNAL]
    assert command("--height=300")[0] == 1
    assert (tmp_path / "picture.png").read_bytes() == b"old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["picture.png"]


def test_a_picture_is_complete_or_absent(command, tmp_path, monkeypatch):
    def full(_):
        raise OSError(28, "No space left on device", "picture.png")

    (tmp_path / "picture.png").write_bytes(b"old")
    monkeypatch.setattr(picture_file.os, "fsync", full)
    assert command() == (1, "error: picture.png: No space left on device.\n")
    assert (tmp_path / "picture.png").read_bytes() == b"old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["picture.png"]


def test_the_command_prints_no_traceback_and_no_other_text(server, tmp_path):
    def run(*arguments):
        line = [sys.executable, "-m", "tf_psgan_serving.client", "--model=m", f"--out={tmp_path / 'a.png'}", *arguments]
        return subprocess.run(line, env=ENVIRONMENT, capture_output=True, text=True, timeout=300)

    made = run(f"--server={server.target}", "--height=70", "--width=70")
    assert (made.returncode, made.stdout, made.stderr) == (0, f"{tmp_path / 'a.png'}\n", "")
    failed = run("--server=localhost:1", "--retries=0")
    assert (failed.returncode, failed.stdout, failed.stderr.count("\n")) == (1, "", 1), failed.stderr
    assert "localhost:1: UNAVAILABLE: " in failed.stderr
    assert "--tls_ca" in run("--help").stdout


def test_an_untrusted_server_is_an_error_of_one_line(certificates, tmp_path):
    pair = tuple((certificates / f"localhost.{kind}").read_bytes() for kind in ("key", "pem"))
    with FakeServer(grpc.ssl_server_credentials([pair])) as server:
        line = [sys.executable, "-m", "tf_psgan_serving.client", f"--server={server.target}", "--model=m"]
        line += ["--retries=0", f"--out={tmp_path / 'a.png'}", f"--tls_ca={certificates / 'other.pem'}"]
        done = subprocess.run(line, env=ENVIRONMENT, capture_output=True, text=True, timeout=300)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1), done.stderr
    assert "CERTIFICATE_VERIFY_FAILED" in done.stderr


def test_a_certificate_with_another_key_is_an_error(certificates):
    with pytest.raises(ValueError, match=r"tls_cert, tls_key: .* \(KEY_VALUES_MISMATCH\); give PEM files that belong"):
        Client("localhost:1", "m", tls=Tls(None, certificates / "client.pem", certificates / "ca.key"))


@pytest.mark.parametrize("mutual", [False, True])
def test_tls_trusts_the_given_authority_and_sends_the_given_certificate(certificates, mutual, tmp_path):
    pair = tuple((certificates / f"localhost.{kind}").read_bytes() for kind in ("key", "pem"))
    credentials = grpc.ssl_server_credentials([pair], (certificates / "ca.pem").read_bytes(), mutual)
    ours = (certificates / "client.pem", certificates / "client.key") if mutual else (None, None)
    with FakeServer(credentials) as server:
        with Client(server.target, "m", tls=Tls(certificates / "ca.pem", *ours)) as client:
            np.testing.assert_array_equal(client.window(5, 5), paint(1, 0, 0, 0, 5, 5))
        wrong = [None, Tls(certificates / "other.pem", *ours), *([Tls(certificates / "ca.pem")] if mutual else [])]
        for tls in wrong:
            with (
                Client(server.target, "m", tls=tls, retries=0) as client,
                pytest.raises(ServingError, match="UNAVAILABLE"),
            ):
                client.window(5, 5)
        flags = [f"--tls_ca={certificates / 'ca.pem'}", f"--out={tmp_path / 'a.png'}", "--model=m", "--height=9"]
        flags += [f"--tls_cert={ours[0]}", f"--tls_key={ours[1]}"] if mutual else []
        assert command_line.main([f"--server={server.target}", *flags]) == 0
    assert os.listdir(tmp_path) == ["a.png"]


def test_the_deprecated_flag_torus_still_works_and_warns(server, tmp_path, capsys):
    flags = [f"--server={server.target}", "--model=m", f"--out={tmp_path / 'a.png'}", "--height=32", "--width=32"]
    assert command_line.main([*flags, "--torus"]) == 0
    assert capsys.readouterr().err == "warning: --torus is deprecated; use --tile.\n"
    assert server.seen[-1][0] == "torus_png"
