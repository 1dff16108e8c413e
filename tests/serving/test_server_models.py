"""Versions change under load: a broken version is never used, and no request fails because of a swap."""

import contextlib
import logging
import shutil
import threading
import time

import grpc
import numpy as np
import pytest
import tensorflow as tf
from grpc_health.v1 import health_pb2, health_pb2_grpc
from tensorflow_serving.apis import get_model_status_pb2, model_service_pb2_grpc

from tests.support import plain_model
from tests.support.fake_server import HANG
from tests.support.small_server import OPTIONS, predict, publish, request, running, status, until
from tf_psgan_serving.server import model as model_module
from tf_psgan_serving.server import repository
from tf_psgan_serving.server.grpc_server import Server
from tf_psgan_serving.server.settings import Settings
from tf_psgan_serving.server.status import StatusError
from tf_psgan_serving.server.version import Version


@pytest.fixture(scope="module")
def version(tmp_path_factory):
    """The folder of a valid version, to be copied."""
    return plain_model.publish(tmp_path_factory.mktemp("exported") / "tiny")


@pytest.fixture
def log(caplog):
    """Returns the messages that the server has logged."""
    logger = logging.getLogger("tf_psgan_serving")
    logger.propagate = True
    logger.setLevel(logging.INFO)
    return lambda: [record.getMessage() for record in caplog.records if record.name == "tf_psgan_serving"]


class Fake:
    """A version that can be loaded if its folder has the file "good"."""

    def __init__(self, folder):
        if not (folder / "good").exists():
            raise ValueError("not good")
        self.number, self.closed = int(folder.name), False

    def close(self):
        assert not self.closed
        self.closed = True


@pytest.fixture
def model(tmp_path):
    return model_module.Model("m", tmp_path, Fake, poll=0.0)


def put(folder, number, good=True):
    (folder / str(number)).mkdir()
    (folder / str(number) / ("good" if good else "bad")).write_text("")


def test_the_newest_version_that_can_be_loaded_is_used(model, tmp_path):
    for number in (1, 2, 10):
        put(tmp_path, number)
    put(tmp_path, 11, good=False)
    (tmp_path / ".12.partial").mkdir()
    (tmp_path / "notes.txt").write_text("")
    model.scan(require_unchanged=False)
    assert model.number == 10
    assert {number: state.state for number, state in model.states().items()} == {10: "AVAILABLE", 11: "END"}
    assert model.states()[11].failed


def test_an_old_version_is_closed_when_its_last_request_ends(model, tmp_path):
    put(tmp_path, 1)
    model.scan(require_unchanged=False)
    with model.use(None) as first, model.use(1) as same:
        assert first is same
        put(tmp_path, 2)
        model.scan(require_unchanged=False)
        with model.use(None) as second:
            assert (second.number, first.closed) == (2, False)
        assert model.states()[1].state == "UNLOADING"
    assert first.closed and not second.closed
    assert model.states()[1].state == "END"
    with pytest.raises(StatusError, match="version 1 is not loaded; version 2 is"), model.use(1):
        pass


def test_a_new_folder_is_loaded_only_after_two_scans_without_a_change(model, tmp_path):
    put(tmp_path, 1)
    model.scan()
    assert model.number == 0
    (tmp_path / "1" / "more").write_text("being copied")
    model.scan()
    assert model.number == 0
    model.scan()
    assert model.number == 1


def test_a_broken_version_is_retried_with_growing_delays_and_logged_once(tmp_path, log, monkeypatch):
    now = [0.0]
    monkeypatch.setattr(model_module.time, "monotonic", lambda: now[0])
    tries = []

    def load(folder):
        tries.append(now[0])
        return Fake(folder)

    model = model_module.Model("m", tmp_path, load, poll=1.0)
    put(tmp_path, 1, good=False)
    for _ in range(100):
        model.scan()
        now[0] += 1.0
    assert tries == [1, 3, 7, 15, 31, 63]
    assert log() == ["m: version 1 cannot be loaded: ValueError: not good"]
    (tmp_path / "1" / "good").write_text("")  # the copy is complete
    model.scan()
    model.scan()
    assert model.number == 1


def test_removing_the_newest_version_returns_to_the_previous_one(model, tmp_path):
    put(tmp_path, 1)
    put(tmp_path, 2)
    model.scan(require_unchanged=False)
    shutil.rmtree(tmp_path / "2")
    model.scan(require_unchanged=False)
    assert model.number == 1
    shutil.rmtree(tmp_path / "1")
    model.scan()
    assert model.number == 1  # perhaps it is being moved
    model.scan()
    assert model.number == 0
    assert model.states()[1].state == "END"


def test_a_folder_that_cannot_be_read_unloads_nothing(model, tmp_path, monkeypatch):
    put(tmp_path, 1)
    model.scan(require_unchanged=False)
    monkeypatch.setattr(model_module, "version_folders", unreadable)
    for _ in range(3):
        with pytest.raises(PermissionError):
            model.scan()
    assert model.number == 1


def unreadable(*_):
    raise PermissionError(13, "Permission denied")


def test_a_version_that_cannot_be_read_is_shown_as_failed_and_the_others_are_loaded(model, tmp_path, monkeypatch):
    put(tmp_path, 1)
    put(tmp_path, 2)
    real = model_module.fingerprint
    monkeypatch.setattr(model_module, "fingerprint", lambda path: unreadable() if path.name == "2" else real(path))
    model.scan(require_unchanged=False)
    assert model.number == 1
    assert model.states()[2].reason == "its files cannot be read"


def test_a_version_beyond_int64_is_ignored_with_one_log_line(model, tmp_path, log):
    put(tmp_path, 7)
    put(tmp_path, 2**63)
    model.scan(require_unchanged=False)
    model.scan(require_unchanged=False)
    assert model.number == 7
    assert log()[0] == f"m: version {2**63} is ignored; the largest number is {2**63 - 1}"
    assert len(log()) == 2


def test_one_model_that_cannot_be_read_stops_no_other_and_no_watching(tmp_path, monkeypatch, log):
    for name in ("bad", "good"):
        (tmp_path / name).mkdir()
        put(tmp_path / name, 1)
    (tmp_path / "new\nline").mkdir()
    real = repository.version_folders
    monkeypatch.setattr(repository, "version_folders", lambda path: unreadable() if path.name == "bad" else real(path))
    models = repository.ModelRepository(tmp_path, Fake, 0.01, lambda *_: None)
    models.start()
    try:
        until(lambda: not models.loading)
        put(tmp_path / "good", 2)
        until(lambda: models.get("good").number == 2)
        assert models.models.keys() == {"good"}
    finally:
        models.close()
    assert sum("bad: cannot be scanned: PermissionError" in line for line in log()) == 1
    assert sum("'new\\nline': cannot be scanned" in line for line in log()) == 1


def test_the_server_answers_while_its_models_load(tmp_path, monkeypatch):
    plain_model.publish(tmp_path / "tiny")
    go, real = threading.Event(), Version.set_description

    def held(*arguments):
        assert go.wait(HANG)
        real(*arguments)

    monkeypatch.setattr(Version, "set_description", held)
    server = Server(Settings(tmp_path, port=0, poll=0.1))
    try:
        with grpc.insecure_channel(f"127.0.0.1:{server.port}", OPTIONS) as channel:
            health = health_pb2_grpc.HealthStub(channel)

            def states():
                found = health.List(health_pb2.HealthListRequest(), timeout=HANG, wait_for_ready=True).statuses
                return {
                    name: health_pb2.HealthCheckResponse.ServingStatus.Name(one.status) for name, one in found.items()
                }

            assert states() == {"": "NOT_SERVING", "liveness": "SERVING"}
            assert server.unready.startswith("loading")
            assert status(channel, request())[0] == "UNAVAILABLE"
            go.set()
            until(lambda: states() == {"": "SERVING", "liveness": "SERVING", "tiny": "SERVING"})
            assert status(channel, request())[0] == "OK"
            shutil.rmtree(tmp_path / "tiny")
            until(lambda: status(channel, request())[0] == "NOT_FOUND")
            until(lambda: server.unready.startswith("no model"))
    finally:
        go.set()
        server.stop(0.0)


def test_a_model_without_a_version_is_not_found(model):
    with pytest.raises(StatusError, match="none of its versions is loaded"), model.use(None):
        pass


def broken_versions(version, folder, first):
    """Publishes two truncated versions, an empty one and one with wrong signatures; their numbers."""
    made = folder.parent.parent / "made"
    made.mkdir()
    weights = publish(version, made, first) / "variables" / "variables.data-00000-of-00001"
    weights.write_bytes(weights.read_bytes()[:-1])
    graph = publish(version, made, first + 1) / "saved_model.pb"
    graph.write_bytes(graph.read_bytes()[: graph.stat().st_size // 2])
    (made / str(first + 2)).mkdir()
    other = tf.Module()
    other.describe = tf.function(lambda: {"description": tf.constant("{}")}, input_signature=[])
    tf.saved_model.save(other, str(made / str(first + 3)), signatures={"describe": other.describe})
    for path in sorted(made.iterdir()):
        path.rename(folder / path.name)
    return list(range(first, first + 4))


@contextlib.contextmanager
def load_on(channel, failures, seen):
    """Two clients that request windows one after the other and compare them with the first."""
    expected = predict(channel, request())["image"]
    stop = threading.Event()

    def client():
        while not stop.is_set():
            try:
                np.testing.assert_array_equal(predict(channel, request())["image"], expected)
                seen.append(time.monotonic())
            except Exception as error:
                failures.append(error)

    threads = [threading.Thread(target=client) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def swaps(version, tmp_path, count, log):
    """Swaps versions under load, with broken ones between them."""
    folder = tmp_path / "models" / "tiny"
    folder.mkdir(parents=True)
    publish(version, folder, 1)
    failures, seen = [], []
    with running(tmp_path / "models", waiting=8) as (_, channel), load_on(channel, failures, seen):
        status = model_service_pb2_grpc.ModelServiceStub(channel)
        message = get_model_status_pb2.GetModelStatusRequest(model_spec={"name": "tiny"})

        def states():
            entries = status.GetModelStatus(message).model_version_status
            return {entry.version: (entry.state, entry.status.error_message) for entry in entries}

        available = get_model_status_pb2.ModelVersionStatus.AVAILABLE
        broken = broken_versions(version, folder, 2)
        until(lambda: states().keys() >= {1, *broken} and all(states()[number][1] for number in broken))
        for number in range(10, 10 + count):
            publish(version, folder, number)
            until(lambda number=number: states().get(number, (0, ""))[0] == available)
            assert [key for key, (state, _) in states().items() if state == available] == [number]
        assert all(str(tmp_path) not in text for _, text in states().values())
    assert failures == []
    assert len(seen) > count
    for number in broken:
        [line] = [line for line in log() if f"version {number} cannot be loaded" in line]
        assert "\n" not in line


def test_versions_are_swapped_without_a_failed_request_and_broken_ones_are_never_used(version, tmp_path, log):
    swaps(version, tmp_path, 2, log)


@pytest.mark.long
def test_twenty_swaps_fail_no_request(version, tmp_path, log):
    swaps(version, tmp_path, 20, log)


def test_a_partly_copied_version_is_loaded_when_it_is_complete(version, tmp_path, log):
    folder = tmp_path / "models" / "tiny"
    folder.mkdir(parents=True)
    with running(tmp_path / "models") as (_, channel):
        health = health_pb2_grpc.HealthStub(channel)
        message = health_pb2.HealthCheckRequest()
        assert health.Check(message).status == health_pb2.HealthCheckResponse.NOT_SERVING
        (folder / "1").mkdir()
        shutil.copy(version / "saved_model.pb", folder / "1")
        until(lambda: any("version 1 cannot be loaded" in line for line in log()))
        assert health.Check(message).status == health_pb2.HealthCheckResponse.NOT_SERVING
        shutil.copytree(version, folder / "1", dirs_exist_ok=True)
        until(lambda: health.Check(message).status == health_pb2.HealthCheckResponse.SERVING)
        assert predict(channel, request())["image"].shape == (40, 50, 3)


def test_the_folder_of_a_single_model_is_accepted(version, tmp_path):
    folder = tmp_path / "tiny"
    folder.mkdir()
    publish(version, folder, 3)
    with running(folder) as (_, channel):
        assert predict(channel, request(version=3))["image"].shape == (40, 50, 3)
