import io

import numpy as np
import pytest
from PIL import Image

from alearn.report import pictures

GAP = pictures.GAP


def test_a_gallery_shows_each_image_enlarged_above_its_caption():
    images = np.random.default_rng(0).integers(0, 200, (5, 1, 28, 28), np.uint8)
    captions = [f"guess {i}\nhuman: 7" for i in range(5)]
    found = np.asarray(pictures.gallery(images, captions))
    assert found.dtype == np.uint8
    assert found.ndim == 2, "a picture of grey images is grey"
    columns = [GAP + i * (112 + GAP) for i in range(4)]
    assert found.shape[1] == 4 * (112 + GAP) + GAP
    below = GAP + 112
    for image, left in zip(images, columns, strict=False):
        shown = found[GAP : GAP + 112, left : left + 112]
        np.testing.assert_array_equal(shown, image[0].repeat(4, 0).repeat(4, 1))
        assert (found[below : below + 20, left : left + 112] < 100).sum() > 50, "letters"
    second = found[found.shape[0] // 2 :]
    assert second[:, columns[1] :].min() == 255, "the fifth image is alone in its row"
    assert second[:, : columns[1]].min() < 100


def test_colour_and_other_channels_and_large_images():
    random = np.random.default_rng(0)
    rgb = random.integers(0, 256, (2, 3, 32, 32), np.uint8)
    found = np.asarray(pictures.gallery(rgb, ["a", "b"]))
    np.testing.assert_array_equal(found[GAP : GAP + 96 : 3, GAP : GAP + 96 : 3], rgb[0].transpose(1, 2, 0))
    five = random.integers(0, 256, (2, 5, 32, 32), np.uint8)
    np.testing.assert_array_equal(
        np.asarray(pictures.gallery(five, ["a", "b"])), np.asarray(pictures.gallery(five[:, :1], ["a", "b"]))
    )
    large = pictures.gallery(random.integers(0, 256, (2, 3, 300, 600), np.uint8), ["a", "b"])
    assert large.width == 2 * (pictures.LARGEST + GAP) + GAP


def test_a_wide_caption_gets_its_room():
    narrow = pictures.gallery(np.zeros((3, 1, 8, 8), np.uint8), ["a"] * 3)
    wide = np.asarray(pictures.gallery(np.zeros((3, 1, 8, 8), np.uint8), ["a", "a", "guess elephant (0.123456)"]))
    assert wide.shape[1] > narrow.width
    assert wide[:, -2:].min() == 255, "not cut off"


def test_a_confusion_matrix_is_blue_where_right_and_red_where_wrong():
    matrix = np.diag([900, 900, 900])
    matrix[0, 2], matrix[1, 0] = 40, 1
    found = pictures.confusion(matrix, ("cat", "dog", "an exceedingly long name"))
    pixels = np.asarray(found).astype(int)
    margin = found.width - GAP - 3 * 44
    cells = pixels[margin : margin + 132, margin : margin + 132].reshape(3, 44, 3, 44, 3)
    corner = cells[:, 4, :, 4]  # the corner of each cell, where there is no number
    red, blue = corner[..., 0] - corner[..., 2], corner[..., 2] - corner[..., 0]
    assert (np.diag(blue) > 50).all()
    assert red[0, 2] > red[1, 0] > 0
    assert (corner[2, :2] == 255).all()
    dark = (cells.max(-1) < 60).sum((1, 3))
    assert ((dark > 5) == (matrix > 0)).all(), "only cells above zero have numbers"
    assert found.width < 350, "long names are shortened"


@pytest.mark.parametrize("total", [1, 2, 12, 13, 30, 31, 100, 700, 1000])
def test_any_number_of_classes_fits(total):
    found = pictures.confusion(np.eye(total, dtype=np.int64) * 12_345, [f"class {i}" for i in range(total)])
    assert found.width == found.height
    assert total <= found.width <= 1100
    black = (np.asarray(found).max(-1) < 60)[-5 * (found.width // 10) :, -5 * (found.width // 10) :].any()
    assert black == (total <= pictures.NUMBERED), "cells have numbers for up to 30 classes"


def test_names_are_ascii_and_short():
    assert pictures.plain("Käse 象\n") == "Kase ?\n"
    assert pictures.shortened("0") == "0"
    assert pictures.shortened("hippopotamus") == "hippopot.."
    assert pictures.gallery(np.zeros((1, 1, 8, 8), np.uint8), ["象"]).width > 0


def test_a_sprite_fits_the_projector():
    images = np.random.default_rng(0).integers(0, 256, (10, 3, 64, 48), np.uint8)
    sheet, size = pictures.sprite(images)
    assert (sheet.size, size) == ((4 * 48, 4 * 64), (48, 64))
    np.testing.assert_array_equal(np.asarray(sheet)[64:128, 48:96], images[5].transpose(1, 2, 0))
    sheet, size = pictures.sprite(np.zeros((5, 1, 6000, 3000), np.uint8))
    assert (sheet.size, size) == ((3 * 1365, 3 * 2730), (1365, 2730))


def test_a_png_is_what_was_drawn():
    picture = pictures.gallery(np.zeros((1, 1, 8, 8), np.uint8), ["a"])
    np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(pictures.png(picture)))), np.asarray(picture))
