"""Memory: an unloaded version's is returned, and the limits keep the documented worst case."""

import gc
import weakref

from tests.support.small_server import until
from tf_psgan_serving.server import repository


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
