"""Export, embedded server and client together give the pixels of the plane."""

import asyncio
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from tests.support import plain_model, tiny
from tests.support.small_server import publish, running
from tf_psgan.exporting import saved_model
from tf_psgan.exporting.signatures import Limits
from tf_psgan.latents import texture_fields
from tf_psgan.latents.scene import Scene
from tf_psgan.plane.folded_generator import fold
from tf_psgan.plane.plane import TexturePlane
from tf_psgan_serving.client import AsyncClient, Client, Morph, ServingError, Tile, Window, views

CORNERS = (1, 7, 9, 30)


@pytest.fixture(scope="module")
def plane():
    return TexturePlane(fold(tiny.generator(global_channels=3, waves=0)))


@pytest.fixture(scope="module")
def server(plane, tmp_path_factory):
    """The address of an embedded server with the plane's export."""
    models = tmp_path_factory.mktemp("models")
    saved_model.write(plane.folded, models / "tiny", {}, {}, limits=Limits(side=600, pixels=520 * 520))
    with running(models) as (started, _):
        yield f"localhost:{started.port}"


def test_client_pictures_equal_the_plane(plane, server):
    with Client(server, "tiny") as client:
        np.testing.assert_array_equal(
            client.window(40, 50, top=-9, left=10**9, seed=3, texture=5),
            plane.window(40, 50, top=-9, left=10**9, seed=3, texture=5),
        )
        np.testing.assert_array_equal(client.tile(64, 96, seed=3, texture=5), plane.tile(64, 96, seed=3, texture=5))
        field = texture_fields.Morph((CORNERS[:2], CORNERS[2:]), 0, 0, 200, 300)
        whole = plane.render(Scene(3, field), 200, 300)
        np.testing.assert_array_equal(client.morph(200, 300, textures=CORNERS, seed=3), whole)
        part = client.picture(
            Morph(seed=3, textures=CORNERS, extent_height=200, extent_width=300, top=50, left=60, height=70, width=80)
        )
        np.testing.assert_array_equal(part, whole[50:120, 60:140])
        assert client.describe()["chunk_pixels"] == plane.chunk_cells * plane.pixels_per_cell


def test_a_scene_equals_the_plane(plane, server):
    weights = np.full((2, 1, 1), 0.5, np.float32)
    where = {"top": -9, "left": 10**9, "height": 40, "width": 50}
    expected = plane.render(Scene(3, texture_fields.Mix(((7, 0.5), (9, 0.5))), time=0.25, amount=0.5), **where)
    with Client(server, "tiny") as client:
        scene = views.Scene(seed=3, textures=(7, 9), weights=weights, time=0.25, amount=0.5, **where)
        np.testing.assert_array_equal(client.picture(scene), expected)
        large = views.Scene(textures=(7, 9), weights=weights, height=601, width=8)
        with pytest.raises(ServingError, match=r"height: 601 is outside 1 \.\. 600"):
            client.picture(large)


def test_encoded_client_pictures_decode_to_the_plane(plane, server):
    expected = plane.tile(64, 96, seed=3, texture=5)
    with Client(server, "tiny") as client:
        with Image.open(BytesIO(client.encoded(Tile(height=64, width=96, seed=3, texture=5), "png"))) as image:
            np.testing.assert_array_equal(np.array(image), expected)
        with Image.open(BytesIO(client.encoded(Tile(height=64, width=96, seed=3, texture=5), "jpeg"))) as image:
            assert np.abs(np.array(image).astype(int) - expected).mean() < 8


def test_a_picture_beyond_the_limits_is_assembled(plane, server):
    view = Window(height=1300, width=900, top=-700, left=100, seed=3, texture=5)
    expected = plane.window(1300, 900, top=-700, left=100, seed=3, texture=5)
    with Client(server, "tiny", parallel=8) as client:
        np.testing.assert_array_equal(client.large(view), expected)
        with pytest.raises(ServingError, match=r"height: 1300 is outside 1 \.\. 600; choose a value inside") as caught:
            client.picture(Window(height=1300, width=90, seed=3, texture=5))
    assert caught.value.code == "INVALID_ARGUMENT"

    async def large():
        async with AsyncClient(server, "tiny", parallel=8) as client:
            return await client.large(view)

    np.testing.assert_array_equal(asyncio.run(large()), expected)


def test_the_error_for_an_unknown_model_or_version_names_it(server):
    with Client(server, "other") as client, pytest.raises(ServingError, match=r"NOT_FOUND: .*other"):
        client.window(5, 5)
    with Client(server, "tiny", version=9) as client, pytest.raises(ServingError, match=r"NOT_FOUND: .*9"):
        client.window(5, 5)


def test_a_large_picture_comes_from_one_version_while_versions_change(tmp_path):
    small = {"limits": {"height": 512, "width": 512, "pixels": 2**18}}
    made = [plain_model.publish(tmp_path / f"{shift}", shift=shift, description=small) for shift in (0, 1)]
    window = {"top": 0, "left": 0, "height": 1100, "width": 1100, "seed": 3, "texture": 0}
    expected = [plain_model.PlainModel(shift).picture(**window).numpy() for shift in (0, 1)]
    model = tmp_path / "models" / "tiny"
    model.mkdir(parents=True)
    publish(made[0], model, 1)
    which = []
    with running(model.parent) as (started, _), Client(f"localhost:{started.port}", "tiny") as client:
        while 1 not in which and len(which) < 99:
            if len(which) == 1:
                publish(made[1], model, 2)
            found = client.large(Window(height=1100, width=1100, seed=3))
            which.append([np.array_equal(found, one) for one in expected].index(True))
    assert which[0] == 0
    assert which[-1] == 1
