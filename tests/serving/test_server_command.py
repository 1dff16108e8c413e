"""The command psgan-server: flags, TLS from TensorFlow Serving's file, shutdown."""

import logging
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from tensorflow_serving.apis import prediction_service_pb2_grpc

from tests.support import plain_model
from tests.support.fake_server import HANG
from tests.support.small_server import OPTIONS, WINDOW, export, predict, request, running
from tf_psgan_serving import command_line
from tf_psgan_serving.server import command as server_command
from tf_psgan_serving.server import settings, tls
from tf_psgan_serving.server.grpc_server import Server

ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "TF_CPP_MIN_LOG_LEVEL"}
ENVIRONMENT["PYTHONPATH"] = str(Path(__file__).resolve().parents[2] / "serving")


def command(*flags):
    return [sys.executable, "-m", "tf_psgan_serving.server", *flags]


@pytest.mark.parametrize(
    "flags, text",
    [
        ([], "the following arguments are required: --models"),
        (["--models=nowhere"], "nowhere: not a folder; give --models=FOLDER"),
        (["--models=.", "--port=x"], "argument --port: 'x' is not a number within 0 .. 65535"),
        (["--models=.", "--running=-1"], "argument --running: '-1' is not a number"),
        (["--models=.", "--rate=nan"], "argument --rate: 'nan' is not a number"),
        (["--models=.", "--other=1"], "unrecognized arguments: --other=1"),
    ],
)
def test_a_mistake_in_the_flags_is_one_line_and_exit_code_2(flags, text, capsys):
    with pytest.raises(SystemExit) as end:
        settings.parse(flags)
    assert end.value.code == 2
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith(f"error: {text}")


def test_flags_become_settings(tmp_path):
    read = settings.parse([f"--models={tmp_path}", "--port=9", "--signatures=a,b", "--rate=2.5"])
    assert read == settings.Settings(tmp_path, port=9, signatures=("a", "b"), rate=2.5)
    assert read.host == "127.0.0.1"


def test_help_needs_no_tensorflow():
    code = "from tf_psgan_serving.server import command; command.main(['--help'])"
    code = f"import atexit, sys; atexit.register(lambda: print('tensorflow' in sys.modules)); {code}"
    done = subprocess.run([sys.executable, "-c", code], env=ENVIRONMENT, capture_output=True, text=True)
    assert done.returncode == 0
    assert "--models" in done.stdout
    assert done.stdout.splitlines()[-1] == "False"


def test_a_port_in_use_is_an_error(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(ValueError, match="cannot listen there; choose another --port"):
            Server(settings.Settings(tmp_path, port=taken.getsockname()[1]))


@pytest.fixture(scope="module")
def version(tmp_path_factory):
    return export(tmp_path_factory.mktemp("exported") / "tiny")


def test_sigterm_lets_the_running_request_finish_and_exits_with_0(version):
    process = subprocess.Popen(
        command(f"--models={version.parent}", "--port=0", f"--grace={HANG}"),
        env=ENVIRONMENT,
        stderr=subprocess.PIPE,
        text=True,
    )
    lines = []
    for line in process.stderr:
        lines.append(line)
        if "is loaded" in line:
            break
    port = lines[0].partition("127.0.0.1:")[2].partition(",")[0]
    reader = threading.Thread(target=lambda: lines.extend(process.stderr), daemon=True)
    reader.start()
    with grpc.insecure_channel(f"127.0.0.1:{port}", OPTIONS) as channel:
        large = request(**WINDOW | {"height": 4096, "width": 4096})
        predict(channel, request())
        future = prediction_service_pb2_grpc.PredictionServiceStub(channel).Predict.future(large, timeout=HANG)
        health = health_pb2_grpc.HealthStub(channel)
        health.Check(health_pb2.HealthCheckRequest())  # handled after the large request has started
        process.send_signal(signal.SIGTERM)
        assert len(future.result().outputs["image"].tensor_content) == 4096 * 4096 * 3
    assert process.wait(HANG) == 0
    reader.join(HANG)
    assert len(lines) == 4  # one per event: listening, loaded, stopping, stopped
    assert "tiny: version 1 is loaded" in lines[1]
    assert "stopped" in lines[3]


def test_a_server_that_cannot_start_prints_one_line(tmp_path):
    bad = tmp_path / "ssl.config"
    bad.write_text("server_key: 'x'")
    done = subprocess.run(
        command(f"--models={tmp_path}", "--port=0", f"--ssl_config_file={bad}"),
        env=ENVIRONMENT, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 2
    [line] = done.stderr.splitlines()
    assert line == f"error: {bad}: server_key is not PEM text; paste the text itself, not the name of a file."


@pytest.mark.parametrize(
    "text, message",
    [
        ("x", "not an SSLConfig in text format, line 1"),
        ('server_key: "-----BEGIN KEY"', "server_cert is not PEM text"),
        ('server_key: "-----BEGIN" server_cert: "-----BEGIN" client_verify: true', "client_verify requires custom_ca"),
    ],
)
def test_the_error_for_a_wrong_tls_file_names_it_and_omits_its_contents(tmp_path, text, message):
    path = tmp_path / "ssl.config"
    path.write_text(text)
    with pytest.raises(ValueError, match=message):
        tls.credentials(path)


def certificate(folder, name, authority=None):
    """Makes a key and a certificate for localhost, self-signed or signed by an authority; their PEM texts."""
    key, cert = folder / f"{name}.key", folder / f"{name}.pem"
    made = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-keyout", key, "-out", cert]
    made += ["-subj", f"/CN={name}", "-addext", "subjectAltName=DNS:localhost"]
    if authority:
        made += ["-CA", folder / f"{authority}.pem", "-CAkey", folder / f"{authority}.key"]
    subprocess.run(made, check=True, capture_output=True)
    return key.read_bytes(), cert.read_bytes()


def quoted(data):
    return '"' + data.decode().replace("\n", "\\n") + '"'


@pytest.mark.skipif(not shutil.which("openssl"), reason="makes certificates with openssl")
def test_tls_and_mutual_tls_from_tensorflow_servings_file(tmp_path):
    plain_model.publish(models := tmp_path / "tiny")
    _, authority = certificate(tmp_path, "authority")
    key, cert = certificate(tmp_path, "server", "authority")
    own = certificate(tmp_path, "client", "authority")
    stranger = certificate(tmp_path, "stranger")
    config = tmp_path / "ssl.config"
    plain = f"server_key: {quoted(key)}\nserver_cert: {quoted(cert)}\n"
    mutual = plain + f"custom_ca: {quoted(authority)}\nclient_verify: true\n"
    for text, client, works in [
        (plain, (None, None), True),
        (mutual, own, True),
        (mutual, (None, None), False),
        (mutual, stranger, False),
    ]:
        config.write_text(text)
        with running(models, ssl_config_file=config) as (server, insecure):
            credentials = grpc.ssl_channel_credentials(authority, *client)
            with grpc.secure_channel(f"localhost:{server.port}", credentials, OPTIONS) as channel:
                if works:
                    assert predict(channel, request())["image"].shape == (40, 50, 3)
                else:
                    with pytest.raises(grpc.RpcError) as error:
                        predict(channel, request())
                    assert error.value.code() == grpc.StatusCode.UNAVAILABLE
            with pytest.raises(grpc.RpcError) as error:
                predict(insecure, request())
            assert error.value.code() == grpc.StatusCode.UNAVAILABLE


@pytest.mark.skipif(not shutil.which("openssl"), reason="makes certificates with openssl")
def test_a_key_of_another_certificate_is_an_error(tmp_path):
    key, _ = certificate(tmp_path, "one")
    _, cert = certificate(tmp_path, "two")
    config = tmp_path / "ssl.config"
    config.write_text(f"server_key: {quoted(key)}\nserver_cert: {quoted(cert)}\n")
    with pytest.raises(ValueError, match=r"key and certificate in .*ssl\.config do not belong together"):
        Server(settings.Settings(tmp_path, port=0, ssl_config_file=config))


def test_listening_on_other_addresses_without_tls_logs_a_warning(tmp_path, caplog):
    logging.getLogger("tf_psgan_serving").propagate = True
    with running(tmp_path, host="0.0.0.0"):
        pass
    with running(tmp_path):
        pass
    messages = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert messages == [
        "0.0.0.0: other machines can connect without encryption; use --ssl_config_file",
        f"{tmp_path}: no version is loaded yet",
        f"{tmp_path}: no version is loaded yet",
    ]


def test_without_the_serving_extra_the_command_names_it(tmp_path):
    code = "import sys; sys.modules['grpc_health'] = None; from tf_psgan_serving.server import command; "
    code += f"sys.exit(command.main(['--models={tmp_path}']))"
    done = subprocess.run([sys.executable, "-c", code], env=ENVIRONMENT, capture_output=True, text=True)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stderr
    assert "grpc_health" in done.stderr and "requires pip install 'tf_psgan[serving]'." in done.stderr


@pytest.mark.parametrize("error", [FileNotFoundError(2, "No usable directory"), AttributeError("flush")])
def test_the_server_starts_without_a_temporary_folder_and_with_standard_error_closed(monkeypatch, error):
    def fail(*_):
        raise error

    if isinstance(error, AttributeError):
        monkeypatch.setattr(sys, "stderr", None)
    else:
        monkeypatch.setattr(server_command.tempfile, "TemporaryFile", fail)
    imported = []
    with server_command.captured_stderr():
        imported.append(True)
    assert imported


def test_names_of_others_forge_no_log_line_and_no_terminal_sequence():
    record = logging.makeLogRecord({"msg": "%s: gone", "args": ("a\n2026 ERROR \x1b[31mb",), "levelname": "INFO"})
    text = command_line._OneLine("%(levelname)s %(message)s").format(record)
    assert text == r"INFO a\n2026 ERROR \x1b[31mb: gone"
