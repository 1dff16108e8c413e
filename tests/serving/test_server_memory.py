"""Memory: an unloaded version's is returned, and the documented worst case follows from the settings."""

import gc
import re
import weakref
from pathlib import Path

from tests.support.small_server import until
from tf_psgan_serving.server import repository
from tf_psgan_serving.server.memory_limit import worst_case
from tf_psgan_serving.server.settings import Settings, resolved

README = Path(__file__).resolve().parents[2] / "serving" / "README.md"
HONEYCOMB = {"limits": {"pixels": 2**24}, "model": {"filters": [128, 64, 32]}}


class Cyclic:
    """A version that refers to itself, as a graph of TensorFlow does."""

    def __init__(self, folder):
        self.number, self.graph = int(folder.name), []
        self.graph.append(self)

    def close(self):
        pass


def test_the_memory_of_a_replaced_version_is_returned(tmp_path):
    loaded = []

    def load(folder):
        loaded.append(weakref.ref(version := Cyclic(folder)))
        return version

    (tmp_path / "1").mkdir()
    gc.disable()  # only the server itself collects
    models = repository.ModelRepository(tmp_path, load, 0.01, lambda *_: None)
    models.start()
    try:
        until(lambda: len(loaded) == 1 and not models.loading)
        (tmp_path / "2").mkdir()
        until(lambda: len(loaded) == 2 and loaded[0]() is None)
    finally:
        models.close()
        gc.enable()


def test_the_worst_case_counts_every_place_of_the_settings():
    settings = Settings(Path(), running=2, waiting=3, large=4, request_mb=5.0, unread_mb=100.0)
    computed = (2 * 2**20 + 2**24) * (64 + 2 * 32)
    assert worst_case(settings, HONEYCOMB) == computed + ((32 + 2 + 3 + 4) * 5 + 2 * 100) * 2**20
    assert worst_case(settings, {}) == (2 * 2**20 + 2**24) * 64 + ((32 + 2 + 3 + 4) * 5 + 2 * 100) * 2**20


def test_the_readme_has_the_worst_case_of_the_defaults_on_two_cores():
    written = re.search(r"honeycomb preset on two cores: ([\d,]+) MB", README.read_text(encoding="utf-8"))
    found = worst_case(resolved(Settings(Path()), cores=2), HONEYCOMB)
    assert int(written[1].replace(",", "")) == round(found / 2**20)
