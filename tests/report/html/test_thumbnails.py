import base64
import io

import numpy as np
import pytest
import torch
from PIL import Image

from alearn.data.imageset import ImageSet
from alearn.report.html import thumbnails


def decoded(uri: str) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(uri.partition("base64,")[2])))


def test_gray_images_keep_every_pixel_and_their_captions():
    pixels = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (5, 1, 9, 7), np.uint8))
    pool = ImageSet(pixels, tuple("abcde"), ("x",), None)
    found = thumbnails.strip(pool, np.array([3, 1]), [("one", "1 %"), ("two",)])
    assert [(picture.id, *picture.caption) for picture in found] == [("d", "one", "1 %"), ("b", "two")]
    for picture, index in zip(found, (3, 1), strict=True):
        assert picture.uri.startswith("data:image/png;base64,")
        np.testing.assert_array_equal(np.asarray(decoded(picture.uri)), pixels[index, 0].numpy())


@pytest.mark.parametrize(("channels", "mode"), [(1, "L"), (2, "L"), (3, "RGB"), (4, "RGB")])
def test_large_images_become_small_ones_of_the_same_shape_and_colour(channels, mode):
    image = np.zeros((channels, 200, 400), np.uint8)
    image[0] = 200  # red, if there are colours
    found = decoded(thumbnails.uri(image))
    assert (found.size, found.mode) == ((64, 32), mode)
    middle = found.getpixel((30, 15))
    assert np.allclose(middle, 200 if mode == "L" else (200, 0, 0), atol=6)
