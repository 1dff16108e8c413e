"""Pictures that are decoded at the same time share a memory that is counted in pixels."""

import threading

import numpy as np
from PIL import Image

from tests.data.test_images import encoded
from tf_psgan.data import images
from tf_psgan.data.decode_budget import DecodeBudget, bytes_for


def test_a_thread_waits_until_there_is_room():
    budget, order, inside, leave = DecodeBudget(100), [], threading.Event(), threading.Event()

    def first():
        with budget.reserve(60):
            inside.set()
            assert leave.wait(60)
            order.append("first")

    def second():
        with budget.reserve(60):
            order.append("second")

    threads = [threading.Thread(target=first), threading.Thread(target=second)]
    threads[0].start()
    assert inside.wait(60)
    threads[1].start()
    with budget.reserve(40):  # there is room beside the first
        assert order == []
    leave.set()
    for thread in threads:
        thread.join(60)
    assert order == ["first", "second"]


def test_more_than_the_whole_is_let_in_alone():
    with DecodeBudget(100).reserve(1000):
        pass


def test_a_picture_counts_by_its_pixels_and_not_by_its_bytes(tmp_path):
    picture = Image.new("P", (2000, 1000))
    data = encoded(picture)
    (tmp_path / "a.png").write_bytes(data)
    with Image.open(tmp_path / "a.png") as opened:
        assert len(data) < 10_000 and bytes_for(opened) == 2000 * 1000 * (1 + 3)


def test_decoding_reserves_the_memory_of_a_picture(monkeypatch):
    held = []

    class Budget(DecodeBudget):
        def reserve(self, wanted):
            held.append(wanted)
            return super().reserve(wanted)

    monkeypatch.setattr(images, "_BUDGET", Budget())
    images.decode(encoded(Image.new("RGB", (30, 20))))
    assert held == [30 * 20 * (4 + 3)]


def test_no_step_of_a_decoding_copies_the_whole_picture(monkeypatch):
    monkeypatch.setattr(images, "STRIP_PIXELS", 640)
    sizes, convert = [], Image.Image.convert

    def recorded(self, *args, **kwargs):
        sizes.append(self.width * self.height)
        return convert(self, *args, **kwargs)

    pixels = np.random.default_rng(0).integers(0, 4, (50, 64), np.uint8)
    picture = Image.fromarray(pixels).convert("P")
    picture.putpalette([0, 0, 0, 50, 60, 70, 200, 100, 0, 255, 255, 255])
    data = encoded(picture, transparency=0)
    monkeypatch.setattr(Image.Image, "convert", recorded)
    found = images.decode(data)
    assert sizes and max(sizes) <= 640
    table = np.array([[255, 255, 255], [50, 60, 70], [200, 100, 0], [255, 255, 255]], np.uint8)
    np.testing.assert_array_equal(found, table[pixels])
