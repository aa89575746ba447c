"""Decode files of every format and mode, compare with the pixels that were saved, and refuse dangerous files."""

import io
import os
import struct
import zlib

import numpy as np
import pytest
import torch
from PIL import Image

from alearn.data import decode
from alearn.data.decode import NotReadError, decoded, encoded, header, shown, shown_pixels
from alearn.data.imageset import ImageSet

HALVES = np.zeros((40, 64, 3), np.uint8)
HALVES[:, 32:] = (200, 100, 50)


def saved(path, image: Image.Image, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path, **options)
    return path


def opened(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))


def refused(path, size=(16, 16)) -> str:
    with pytest.raises(NotReadError) as error:
        decoded(path, size, 3)
    assert str(error.value) == f"{path} cannot be read as an image: it {error.value.reason}"
    return error.value.reason


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(
    "name", ["a.jpg", "a.JPEG", "a.png", "a.webp", "a.tif", "a.bmp", "a.gif", "no_suffix", "a.dat"]
)
def test_every_format_has_the_same_pixels(tmp_path, name, channels):
    form = {"no_suffix": "PNG", "a.dat": "PNG"}.get(name)
    path = saved(tmp_path / name, Image.fromarray(HALVES), format=form)
    found = decoded(path, (20, 16), channels).astype(int)
    assert found.shape == (channels, 20, 16)
    colour = (
        [200, 100, 50] if channels == 3 else [Image.new("RGB", (1, 1), (200, 100, 50)).convert("L").getpixel((0, 0))]
    )
    assert np.abs(found[:, :, 10:].mean((1, 2)) - colour).max() < 4
    assert found[:, :, :6].max() < 12
    assert header(path) == (40, 64)


@pytest.mark.parametrize("name", ["a.png", "a.tif"])
@pytest.mark.parametrize("mode", ["1", "L", "P", "LA", "RGBA", "CMYK"])
def test_every_mode_has_the_same_pixels(tmp_path, name, mode):
    if (name, mode) == ("a.png", "CMYK"):
        pytest.skip("PNG has none")
    black_white = Image.fromarray(HALVES // 200 * 255)
    red = np.asarray(black_white.convert("RGB")).transpose(2, 0, 1)[:, 20, 60]
    path = saved(tmp_path / name, black_white.convert("L" if mode in ("1", "LA") else "RGB").convert(mode))
    found = decoded(path, (40, 64), 3)
    expected = red if mode not in ("1", "L", "LA") else np.asarray(black_white.convert("L"))[20, 60]
    if mode == "1":
        assert set(np.unique(found)) <= {0, 255}
    else:
        assert np.abs(found[:, 20, 60].astype(int) - expected).max() <= 2
    assert found[:, 20, 3].max() <= 2


def test_an_image_that_has_the_size_already_is_left_as_it_is(tmp_path):
    pixels = np.random.default_rng(0).integers(256, size=(16, 24, 3), dtype=np.uint8)
    path = saved(tmp_path / "a.png", Image.fromarray(pixels))
    np.testing.assert_array_equal(decoded(path, (16, 24), 3), pixels.transpose(2, 0, 1))


def test_deep_grey_is_scaled_not_clipped(tmp_path):
    ramp = np.linspace(0, 65_535, 256).round().astype(np.uint16).reshape(16, 16)
    expected = np.arange(256).reshape(16, 16)
    for name in ("a.png", "a.tif"):
        found = decoded(saved(tmp_path / name, Image.fromarray(ramp)), (16, 16), 1)[0]
        np.testing.assert_array_equal(found, expected)
    for values in (
        ramp.astype(np.int32),  # 16-bit values in 32 bits
        ramp.astype(np.int32) * 7 - 1000,  # an unusual range
        (expected / 255).astype(np.float32),
        expected.astype(np.float32),
        (expected * 1e6 - 5e7).astype(np.float32),
    ):
        found = decoded(saved(tmp_path / "b.tif", Image.fromarray(values)), (16, 16), 1)[0].astype(int)
        assert np.abs(found - expected).max() <= 1
    values = np.full((16, 16), np.nan, np.float32)
    values[0, 0] = 1
    found = decoded(saved(tmp_path / "c.tif", Image.fromarray(values)), (16, 16), 1)[0]
    assert (found[0, 0], found.sum()) == (255, 255)
    flat = saved(tmp_path / "d.tif", Image.fromarray(np.full((16, 16), -9, np.int32)))
    assert decoded(flat, (16, 16), 1).max() == 0


def test_dark_16_bits_stay_dark(tmp_path):
    path = saved(tmp_path / "a.png", Image.fromarray(np.full((8, 8), 257, np.uint16)))
    assert (decoded(path, (8, 8), 3) == 1).all()


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_transparent_is_white(tmp_path, mode):
    rgba = np.zeros((8, 8, 4), np.uint8)
    rgba[:, 4:, 3] = 255  # black on the right, nothing on the left
    image = Image.fromarray(rgba)
    path = saved(tmp_path / "a.png", image.convert(mode) if mode != "P" else image.quantize(4))
    found = decoded(path, (8, 8), 1)[0]
    assert (found[:, :4] == 255).all()
    assert (found[:, 4:] == 0).all()


@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.tif", "a.webp"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_photos_are_upright(tmp_path, name, orientation):
    upright = Image.fromarray(HALVES)  # dark on the left, bright on the right
    upright.paste((0, 255, 0), (40, 0, 64, 12))  # a mark at the top right
    undo = [
        *(None, None, "FLIP_LEFT_RIGHT", "ROTATE_180", "FLIP_TOP_BOTTOM"),
        *("TRANSPOSE", "ROTATE_90", "TRANSVERSE", "ROTATE_270"),
    ][orientation]
    stored = upright if undo is None else upright.transpose(Image.Transpose[undo])
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = saved(tmp_path / name, stored, exif=exif)
    assert header(path) == (40, 64)
    found = decoded(path, (40, 64), 3).transpose(1, 2, 0).astype(int)
    assert np.abs(found - np.asarray(upright).astype(int)).mean() < 6
    data, _ = shown(path, 64)
    assert np.abs(opened(data).astype(int) - np.asarray(upright)).mean() < 6
    assert not Image.open(io.BytesIO(data)).getexif()


@pytest.mark.filterwarnings("ignore:Corrupt EXIF")
def test_damaged_exif_is_no_exif(tmp_path):
    plain = saved(tmp_path / "a.jpg", Image.fromarray(HALVES), exif=b"Exif\0\0II*\0\xff\xff\xff\xff junk")
    assert header(plain) == (40, 64)
    assert decoded(plain, (8, 8), 3)[0, 4, 7] > 180


def test_a_large_jpeg_is_turned_although_it_is_decoded_small(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    stored = Image.fromarray(HALVES).resize((640, 400)).transpose(Image.Transpose.ROTATE_90)
    found = decoded(saved(tmp_path / "a.jpg", stored, exif=exif), (16, 16), 3)
    assert found[0, :, 12:].min() > 180
    assert found[:, :, :4].max() < 20


@pytest.mark.parametrize("name", ["a.gif", "a.png", "a.webp"])
def test_of_an_animation_the_first_frame_counts(tmp_path, name):
    frames = [Image.new("RGB", (20, 20), colour) for colour in ("red", "blue")]
    path = saved(tmp_path / name, frames[0], save_all=True, append_images=frames[1:])
    assert np.abs(decoded(path, (8, 8), 3).mean((1, 2)) - [255, 0, 0]).max() < 4


def test_a_photo_with_two_pictures_is_a_jpeg(tmp_path):
    one = Image.fromarray(HALVES)
    path = saved(tmp_path / "a.jpg", one, format="MPO", save_all=True, append_images=[one])
    assert decoded(path, (16, 16), 3)[0, 8, 14] > 180


def png(width: int, height: int) -> bytes:
    """Return a PNG file of a few bytes that claims to have this size."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"\0")) + chunk(b"IEND", b"")


@pytest.mark.parametrize("shape", [(10_001, 10_000), (13_000, 13_000), (50_000, 50_000), (2**31 - 1, 2**31 - 1)])
def test_bombs_are_refused_by_their_header(tmp_path, shape, monkeypatch):
    (tmp_path / "a.png").write_bytes(png(*shape))
    monkeypatch.setattr(Image.Image, "load", None)
    assert refused(tmp_path / "a.png") == "has more than 100 million pixels"
    with pytest.raises(NotReadError, match="100 million"):
        header(tmp_path / "a.png")
    with pytest.raises(NotReadError, match="100 million"):
        shown(tmp_path / "a.png", 100)


def test_a_bomb_in_a_gifs_frame_is_refused(tmp_path):
    """The header claims a small screen, but the first frame is huge."""
    frame = b"\x2c" + struct.pack("<HHHHB", 0, 0, 65_535, 65_535, 0)
    (tmp_path / "a.gif").write_bytes(
        b"GIF89a" + struct.pack("<HHBBB", 1, 1, 0x80, 0, 0) + bytes(6) + frame + b"\x02\0\x3b"
    )
    assert refused(tmp_path / "a.gif") == "has more than 100 million pixels"


@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.webp", "a.tif", "a.bmp", "a.gif"])
def test_files_that_were_cut_off_are_refused(tmp_path, name):
    noise = Image.fromarray(np.random.default_rng(0).integers(256, size=(40, 40, 3), dtype=np.uint8))
    whole = saved(tmp_path / name, noise).read_bytes()
    for share in (0.5, 0.9):
        (tmp_path / name).write_bytes(whole[: int(share * len(whole))])
        assert refused(tmp_path / name).startswith("is damaged or cut off (")


def test_random_damage_is_a_refusal_or_an_image_and_nothing_else(tmp_path):
    random = np.random.default_rng(0)
    for name in ("a.jpg", "a.png", "a.webp", "a.tif", "a.bmp", "a.gif"):
        whole = np.frombuffer(saved(tmp_path / name, Image.fromarray(HALVES)).read_bytes(), np.uint8)
        for _ in range(60):
            broken = whole.copy()
            broken[random.integers(len(whole), size=4)] = random.integers(256, size=4)
            (tmp_path / name).write_bytes(broken.tobytes())
            try:
                found = decoded(tmp_path / name, (8, 8), 3)
            except NotReadError:
                continue
            assert found.shape == (3, 8, 8)


def test_what_is_no_image_is_refused_without_a_decoder(tmp_path, monkeypatch):
    def never(*args, **kwargs):
        raise AssertionError("a decoder was asked")

    (tmp_path / "a.png").write_text("no image")
    (tmp_path / "b.jpg").write_bytes(b"")
    (tmp_path / "c.eps").write_bytes(
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n"
    )  # Pillow would run Ghostscript
    png_as_jpg = saved(tmp_path / "d.jpg", Image.fromarray(HALVES), format="PNG")
    os.mkfifo(tmp_path / "e.png")  # opening it would wait for ever
    (tmp_path / "f.png").symlink_to("/dev/zero")
    (tmp_path / "g.png").symlink_to(tmp_path / "gone")
    (tmp_path / "h.png").mkdir()
    with (tmp_path / "i.png").open("wb") as file:
        file.truncate(decode.BYTES + 1)
    monkeypatch.setattr(Image, "open", never)
    formats = "JPEG, PNG, WebP, TIFF, BMP, GIF"
    assert refused(tmp_path / "a.png") == f"is none of {formats} by its content"
    assert refused(tmp_path / "b.jpg") == "is empty (0 bytes)"
    assert refused(tmp_path / "c.eps") == f"is none of {formats} by its content"
    assert refused(png_as_jpg) == "is a PNG file by its content, not JPEG; rename it"
    for name in ("e.png", "f.png", "h.png"):
        assert refused(tmp_path / name) == "is not a regular file"
    assert refused(tmp_path / "g.png") == "is missing"
    assert refused(tmp_path / "i.png") == "has 200 MB; at most 200 are read"
    assert refused(f"{tmp_path}/\0") == "cannot be opened (embedded null byte)"


def test_a_lack_of_memory_is_told_from_damage(tmp_path, monkeypatch):
    def full(self):
        raise MemoryError

    path = saved(tmp_path / "a.png", Image.fromarray(HALVES))
    monkeypatch.setattr(Image.Image, "load", full)
    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", full)
    assert refused(path) == "needs more memory than there is"


def test_what_browsers_get(tmp_path):
    photo = Image.fromarray(HALVES).resize((640, 400))
    photo.info["comment"] = b"where I live"
    path = saved(tmp_path / "a.jpg", photo, comment=b"where I live", icc_profile=b"profile")
    for side, size in ((320, (320, 200)), (1000, (640, 400)), (64, (64, 40))):
        data, mime = shown(path, side)
        image = Image.open(io.BytesIO(data))
        assert (mime, image.format, image.size) == ("image/jpeg", "JPEG", size)
        assert b"where I live" not in data
        assert b"profile" not in data
        assert np.abs(opened(data)[size[1] // 2, size[0] * 3 // 4].astype(int) - [200, 100, 50]).max() < 8


@pytest.mark.parametrize("channels", [1, 3])
def test_small_images_are_enlarged_by_whole_factors_without_loss(channels, tmp_path):
    pixels = np.random.default_rng(0).integers(256, size=(channels, 20, 28), dtype=np.uint8)
    data, mime = shown_pixels(pixels, 150)
    large = np.broadcast_to(pixels, (3, 20, 28)).repeat(5, 1).repeat(5, 2).transpose(1, 2, 0)
    assert mime == "image/png"
    np.testing.assert_array_equal(opened(data), large)
    image = Image.fromarray(pixels[0] if channels == 1 else pixels.transpose(1, 2, 0))
    assert shown(saved(tmp_path / "a.png", image), 150) == (data, mime)
    assert Image.open(io.BytesIO(shown_pixels(pixels, 14)[0])).size == (14, 10)


def test_people_see_the_file_as_long_as_it_is_there(tmp_path):
    path = saved(tmp_path / "a" / "1.jpg", Image.fromarray(HALVES).resize((640, 400)))
    pixels = torch.full((2, 3, 8, 8), 77, dtype=torch.uint8)
    pool = ImageSet(pixels, ("a/2.jpg", "a/1.jpg"), ("a",), None, root=tmp_path)
    assert encoded(pool, 1, 320) == shown(path, 320)
    plain = shown_pixels(pixels[0].numpy(), 320)
    assert encoded(pool, 0, 320) == plain
    path.write_bytes(b"")
    assert encoded(pool, 1, 320) == plain
    assert encoded(ImageSet(pixels, ("0", "1"), ("a",), None), 1, 320) == plain
