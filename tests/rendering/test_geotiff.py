"""The .tif of several processes is a cloud-optimised GeoTIFF, by the validator of rio-cogeo and by GDAL."""

import json

import numpy as np
import pytest
import rasterio
import tifffile
from rio_cogeo import cog_validate

from tests.support.small_raster import SIDE, levels, view
from tests.support.small_shards import HEIGHT, IDENTITY, WIDTH, planned
from tf_psgan.rendering.raster import shards


@pytest.fixture
def out(tmp_path):
    path = tmp_path / "a.tif"
    shards.render_part(path, planned(identity=IDENTITY | {"top": "-70", "left": "9"}), view)
    shards.finish(path)
    return path


def test_the_validator_finds_no_error_and_nothing_to_warn_of(out):
    assert cog_validate(out, strict=True) == (True, [], [])


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
def test_a_file_whose_directories_stand_at_its_end_is_found_by_the_validator(out, tmp_path):
    other = tmp_path / "other.tif"
    with tifffile.TiffWriter(other, bigtiff=True) as writer:
        for level, pixels in enumerate(levels(HEIGHT, WIDTH)):
            writer.write(pixels, tile=(SIDE, SIDE), photometric="rgb", subfiletype=int(level > 0), metadata=None)
    assert not cog_validate(other, strict=True)[0]


def test_gdal_reads_pixels_overviews_and_the_place_on_the_plane(out):
    with rasterio.open(out) as file:
        assert (file.height, file.width, file.compression.name) == (HEIGHT, WIDTH, "deflate")
        assert len(file.overviews(1)) == 4
        assert file.crs.to_wkt().startswith('LOCAL_CS["texture plane')
        assert tuple(file.transform)[:6] == (1, 0, 9, 0, -1, 70)  # x is 9 and y is 70 at the top left corner
        np.testing.assert_array_equal(file.read().transpose(1, 2, 0), view(0, 0, HEIGHT, WIDTH))
        assert json.loads(file.tags()["TIFFTAG_IMAGEDESCRIPTION"]) == IDENTITY | {"top": "-70", "left": "9"}
    for level, expected in enumerate(levels(HEIGHT, WIDTH)[1:]):
        with rasterio.open(out, overview_level=level) as file:
            np.testing.assert_array_equal(file.read().transpose(1, 2, 0), expected)


def test_pillow_reads_it(out):
    from PIL import Image

    with Image.open(out) as picture:
        np.testing.assert_array_equal(np.asarray(picture), view(0, 0, HEIGHT, WIDTH))
