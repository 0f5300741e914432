"""The one reader of image files: what Pillow writes comes back the same, and what is no picture is one line."""

import io
import logging
import os
import socket
import struct
import subprocess
import sys
import warnings
import zlib
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps

from lenet_gpu.datasets.image_folder import read_image
from lenet_gpu.errors import InputError, LenetError
from lenet_gpu.ink.grayscale import flatten, to_8_bits
from lenet_gpu.ink.image_files import FORMATS, _quiet, decode_gray, read_gray
from lenet_gpu.ink.preprocess import image_to_mnist


@pytest.fixture(scope="module")
def digit(mnist):
    """A digit of MNIST, dark ink on white with some paper around it: (48, 48) uint8."""
    return 255 - np.pad(mnist.test.images[0], 10)


def saved(image, path, **options):
    image.save(path, **options)
    return path


def refusal(path, **options):
    with pytest.raises(InputError) as error:
        read_gray(path, **options)
    assert "\n" not in str(error.value)
    return str(error.value)


def png_that_claims(width, height, bits=8):
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, bits, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


# ---- every mode and container gives the same pixels

LOSSLESS = {
    "png": lambda gray: (Image.fromarray(gray), {}),
    "png RGB": lambda gray: (Image.fromarray(gray).convert("RGB"), {}),
    "png palette": lambda gray: (Image.fromarray(gray).convert("P"), {}),
    "png RGBA opaque": lambda gray: (Image.fromarray(gray).convert("RGBA"), {}),
    "png LA": lambda gray: (Image.merge("LA", [Image.new("L", gray.shape[::-1]), Image.fromarray(255 - gray)]), {}),
    "png 16 bit": lambda gray: (Image.fromarray(gray.astype(np.uint16) * 257), {}),
    "tiff": lambda gray: (Image.fromarray(gray), {"compression": "tiff_lzw"}),
    "tiff float": lambda gray: (Image.fromarray(gray.astype(np.float32) / 255), {}),
    "tiff float to 255": lambda gray: (Image.fromarray(gray.astype(np.float32)), {}),
    "tiff 32 bit": lambda gray: (Image.fromarray(gray.astype(np.int32)), {}),
    "tiff 16 bit": lambda gray: (
        Image.fromarray(gray.astype(np.uint16) * 257),
        {"compression": "tiff_adobe_deflate"},
    ),
    "tiff CMYK": lambda gray: (Image.fromarray(gray).convert("RGB").convert("CMYK"), {}),
    "bmp": lambda gray: (Image.fromarray(gray), {}),
    "gif": lambda gray: (Image.fromarray(gray), {}),
    "webp": lambda gray: (Image.fromarray(gray).convert("RGB"), {"lossless": True}),
    "pgm": lambda gray: (Image.fromarray(gray), {}),
    "pgm 16 bit": lambda gray: (Image.fromarray(gray.astype(np.int32) * 257), {}),
    "tga": lambda gray: (Image.fromarray(gray), {}),
}


@pytest.mark.parametrize("kind", LOSSLESS)
def test_every_mode_and_container_gives_the_same_pixels(tmp_path, digit, kind):
    image, options = LOSSLESS[kind](digit)
    path = saved(image, tmp_path / f"a.{kind.split()[0]}", **options)
    assert np.array_equal(read_gray(path), digit)


def test_one_bit_pictures_are_black_and_white(tmp_path, digit):
    path = saved(Image.fromarray(digit).convert("1", dither=Image.Dither.NONE), tmp_path / "a.png")
    assert np.array_equal(read_gray(path), np.where(digit >= 128, 255, 0))


def test_lossy_jpegs_come_close_also_in_cmyk(tmp_path, digit):
    for mode in ("L", "RGB", "CMYK"):
        image = Image.fromarray(digit).convert("RGB").convert(mode)
        found = read_gray(saved(image, tmp_path / f"{mode}.jpg", quality=95))
        assert abs(found.astype(int) - digit).mean() < 2


def test_an_animation_shows_its_first_frame(tmp_path, digit):
    first, second = Image.fromarray(digit), Image.fromarray(255 - digit)
    for name in ("a.gif", "a.webp", "a.png"):
        path = saved(first.convert("RGB"), tmp_path / name, save_all=True, append_images=[second.convert("RGB")])
        assert abs(read_gray(path).astype(int) - digit).mean() < 3


@pytest.mark.parametrize("orientation", range(1, 9))
def test_pictures_are_turned_upright_by_their_exif_orientation(tmp_path, digit, orientation):
    tilted = Image.fromarray(digit[:, 4:40])
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = saved(tilted, tmp_path / "a.png", exif=exif)
    with Image.open(path) as image:
        expected = np.asarray(ImageOps.exif_transpose(image))
    assert np.array_equal(read_gray(path), expected)


@pytest.mark.parametrize("exif", [b"Exif\0\0rubbish", b"Exif\0\0II*\0\x08\0\0\0\xff\xff", b"", b"\0" * 30])
def test_a_damaged_exif_block_does_not_hide_the_picture(tmp_path, digit, exif):
    path = saved(Image.fromarray(digit), tmp_path / "a.webp", lossless=True, exif=exif)
    assert np.array_equal(read_gray(path), digit)


# ---- transparency


def test_ink_on_nothing_stands_out_whatever_its_colour(tmp_path, digit):
    alpha = Image.fromarray(255 - digit)
    for ink in range(0, 256, 51):
        image = Image.merge("LA", [Image.new("L", alpha.size, ink), alpha])
        found = read_gray(saved(image, tmp_path / "a.png")).astype(int)
        ground, drawn = found[0, 0], found[digit == 0]
        assert ground in (0, 255)
        assert (abs(drawn - ground) >= 127).all()
    assert np.array_equal(found, 255 - digit)  # white ink: as MNIST has it


def test_transparent_colour_keys_and_palettes_count_as_transparency(tmp_path, digit):
    light = Image.fromarray(255 - digit)  # white ink on level 0, which is declared transparent
    for image in (light, light.convert("P")):
        assert np.array_equal(read_gray(saved(image, tmp_path / "a.png", transparency=0)), 255 - digit)
    wide = Image.fromarray((255 - digit).astype(np.uint16) * 257)
    assert np.array_equal(read_gray(saved(wide, tmp_path / "w.png", transparency=0)), 255 - digit)


def test_a_sheet_with_round_corners_gets_the_papers_own_ground(digit):
    big = np.kron(digit, np.ones((4, 4), np.uint8))  # (192, 192), ink on white
    y, x = np.ogrid[-1:1:192j, -1:1:192j]
    for shape in (x**4 + y**4 < 1, abs(x) + abs(y) < 1, (abs(x) < 0.6) & (abs(y) < 0.6)):
        alpha = np.where(shape, np.uint8(255), np.uint8(0))
        for sheet in (big, 255 - big):
            flat = flatten(sheet, alpha)
            assert (flat[~shape] == sheet[96, 10 * 4]).all()
            assert np.array_equal(flat[shape], sheet[shape])


def test_a_bold_digit_that_fills_its_frame_is_no_sheet():
    alpha = np.zeros((40, 20), np.uint8)
    alpha[2:38, 4:18] = 255
    assert flatten(np.zeros_like(alpha), alpha)[0, 0] == 255
    assert flatten(np.full_like(alpha, 255), alpha)[0, 0] == 0


def test_what_is_wholly_transparent_is_blank(tmp_path):
    path = saved(Image.new("RGBA", (30, 30), (9, 200, 3, 0)), tmp_path / "a.png")
    assert not image_to_mnist(read_gray(path)).any()


# ---- more than 8 bits


@pytest.mark.parametrize("bits", [8, 10, 12, 14, 16])
def test_sensor_values_are_scaled_by_the_bits_they_use(tmp_path, digit, bits):
    most = 2**bits - 1
    values = np.rint(digit.astype(float) * most / 255).astype(np.uint16)
    assert np.array_equal(read_gray(saved(Image.fromarray(values), tmp_path / "a.png")), digit)


def test_a_dim_picture_of_many_bits_is_not_stretched():
    page = np.full((30, 30), 60_000, np.uint16) + np.arange(30, dtype=np.uint16)  # blank paper with a little noise
    found = to_8_bits(page)
    assert np.ptp(found) <= 1
    assert abs(int(found[0, 0]) - 233) <= 1


def test_ranges_that_no_format_has_are_stretched(tmp_path, digit):
    for values in (digit.astype(np.float32) * 3 - 200, digit.astype(np.float32) * 1e6, digit.astype(np.int32) - 128):
        found = read_gray(saved(Image.fromarray(values), tmp_path / "a.tiff"))
        assert abs(found.astype(int) - digit).max() <= 1


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_pixels_that_are_no_numbers_are_refused(tmp_path, digit, bad):
    values = digit.astype(np.float32)
    values[3, 4] = bad
    path = saved(Image.fromarray(values), tmp_path / "a.tiff")
    assert f"{path}: found pixels that are NaN or infinite" in refusal(path)


# ---- both ways


@pytest.mark.parametrize("kind", LOSSLESS)
def test_prediction_and_folders_see_the_same_picture(tmp_path, digit, kind):
    image, options = LOSSLESS[kind](digit)
    path = saved(image, tmp_path / f"a.{kind.split()[0]}", **options)
    assert np.array_equal(read_image(path), image_to_mnist(read_gray(path)))
    assert read_image(path).any()


# ---- limits and refusals


@pytest.mark.parametrize(
    ("width", "height", "bits"), [(65_535, 65_535, 8), (2**31 - 1, 2**31 - 1, 16), (20_000, 6_000, 1)]
)
def test_a_small_file_that_claims_many_pixels_is_refused_before_it_is_decoded(tmp_path, width, height, bits):
    path = tmp_path / "bomb.png"
    path.write_bytes(png_that_claims(width, height, bits))
    program = (
        "import resource, sys; from lenet_gpu.ink.image_files import read_gray\n"
        "import PIL.Image, lenet_gpu.errors; PIL.Image.init()\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "try: read_gray(sys.argv[1])\n"
        "except lenet_gpu.errors.InputError as error: print(error)\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, path], capture_output=True, text=True, timeout=60, check=True
    )
    line, kilobytes = done.stdout.splitlines()
    assert line.startswith(f"{path}: found too many pixels, expected at most 60,000,000;")
    assert int(kilobytes) < 20_000
    assert done.stderr == ""


def test_the_limit_counts_pixels_and_can_be_chosen(tmp_path, digit):
    path = saved(Image.fromarray(digit), tmp_path / "a.png")
    assert read_gray(path, max_pixels=48 * 48).shape == (48, 48)
    assert "expected at most 2,303" in refusal(path, max_pixels=48 * 48 - 1)


def test_a_picture_inside_an_icon_is_bound_by_the_limit_too(tmp_path):
    inner = io.BytesIO()
    Image.new("L", (200, 200)).save(inner, "PNG")
    entry = struct.pack("<BBBBHHII", 16, 16, 0, 0, 1, 32, len(inner.getvalue()), 22)  # says 16x16
    path = tmp_path / "a.ico"
    path.write_bytes(struct.pack("<HHH", 0, 1, 1) + entry + inner.getvalue())
    assert read_gray(path).shape == (200, 200)
    assert "too many pixels" in refusal(path, max_pixels=1000)


def test_a_file_too_long_is_not_opened(tmp_path):
    path = tmp_path / "long.bmp"
    with open(path, "wb") as file:
        file.truncate(10**9)  # sparse: takes no room
    assert "found a file of 1,000,000,000 bytes, expected at most 241,048,576" in refusal(path)


def test_what_is_no_file_is_refused_as_what_it_is(tmp_path):
    os.mkfifo(tmp_path / "pipe.png")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "s.png"))
        for path, found in (
            (tmp_path / "pipe.png", "a named pipe"),
            (tmp_path / "s.png", "a socket"),
            ("/dev/zero", "a device"),
            (tmp_path, "a folder"),
            (tmp_path / "none.png", "no such file"),
            (tmp_path / "a\0b", "embedded null"),
        ):
            assert f"found {found}" in refusal(path)


@pytest.mark.parametrize(
    ("content", "found", "remedy"),
    [
        (b"", "an empty file", "restore the file"),
        (b"not a picture at all", "not an image", "name an image file"),
        (b"%PDF-1.7\n1 0 obj", "a PDF document", "export its page as PNG"),
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "a HEIC photograph", "save it as JPEG"),
        (b"\0\0\0\x20ftypisom\0\0\2\0isomiso2", "a video", "save one frame"),
        (b"<?xml version='1.0'?>\n<!-- drawn -->\n<svg xmlns='x'>", "an SVG drawing", "export it as PNG"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "a PostScript file", "export it as PNG"),
        (b"PK\x03\x04" + bytes(40), "a zip archive", "unpack it"),
    ],
)
def test_what_people_take_for_a_picture_is_named_with_its_remedy(tmp_path, content, found, remedy):
    path = tmp_path / "a.png"
    path.write_bytes(content)
    line = refusal(path)
    assert line.startswith(f"{path}: found {found}")
    assert f"; {remedy}" in line


def test_a_truncated_picture_is_one_line(tmp_path, digit):
    noise = Image.fromarray(np.random.default_rng(1).integers(0, 256, (64, 64), dtype=np.uint8))
    for name in ("a.png", "a.jpg", "a.bmp", "a.webp", "a.gif", "a.tiff"):
        path = saved(noise, tmp_path / name)
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
        assert refusal(path).startswith(f"{path}: found a damaged image (")


def test_nothing_is_printed_about_damaged_and_odd_files(tmp_path, digit):
    """libtiff prints from C and Pillow logs: both must stay silent in a fresh process, warnings on."""
    rng = np.random.default_rng(0)
    for name, options in (("f", {"compression": "group4"}), ("l", {"compression": "tiff_lzw"}), ("r", {})):
        image = Image.fromarray(digit)
        path = saved(image.convert("1") if name == "f" else image, tmp_path / f"{name}.tiff", **options)
        content = bytearray(path.read_bytes())
        for k in range(40):
            mutated = content.copy()
            for at in rng.integers(8, len(content), 6):
                mutated[at] = rng.integers(256)
            (tmp_path / f"{name}{k}.tiff").write_bytes(mutated)
    content = saved(Image.fromarray(digit).convert("RGB"), tmp_path / "samples.tiff").read_bytes()
    too_many = content.replace(struct.pack("<HHIHH", 277, 3, 1, 3, 0), struct.pack("<HHIHH", 277, 3, 1, 99, 0))
    assert too_many != content  # 99 values a pixel, which Pillow's logger has a word on
    (tmp_path / "samples.tiff").write_bytes(too_many)
    program = (
        "import pathlib, sys, lenet_gpu.errors; from lenet_gpu.ink.image_files import read_gray\n"
        "bad = 0\n"
        "for path in sorted(pathlib.Path(sys.argv[1]).glob('*.tiff')):\n"
        "    try: read_gray(path)\n"
        "    except lenet_gpu.errors.InputError: bad += 1\n"
        "print(bad)"
    )
    done = subprocess.run(
        [sys.executable, "-W", "always", "-c", program, tmp_path], capture_output=True, text=True, check=True
    )
    assert int(done.stdout) > 40
    assert done.stderr == ""


# ---- whatever bytes there are

SEEDS = []
for _mode, _format, _options in (
    ("L", "PNG", {}),
    ("P", "PNG", {"transparency": 3}),
    ("LA", "PNG", {}),
    ("I;16", "PNG", {}),
    ("L", "JPEG", {}),
    ("CMYK", "JPEG", {}),
    ("L", "BMP", {}),
    ("P", "GIF", {}),
    ("F", "TIFF", {}),
    ("1", "TIFF", {"compression": "group4"}),
    ("RGBA", "TIFF", {"compression": "tiff_lzw"}),
    ("RGBA", "WEBP", {}),
    ("L", "PPM", {}),
    ("RGBA", "ICO", {"sizes": [(16, 16)]}),
    ("L", "TGA", {}),
    ("RGB", "JPEG2000", {}),
    ("RGB", "PCX", {}),
    ("RGB", "SGI", {}),
    ("RGB", "DDS", {}),
):
    _stream = io.BytesIO()
    _pixels = np.add.outer(np.arange(16, dtype=np.uint8) * 9, np.arange(16, dtype=np.uint8) * 7)
    _image = Image.fromarray(_pixels.astype(np.uint16) * 200) if _mode == "I;16" else Image.fromarray(_pixels)
    (_image if _mode == "I;16" else _image.convert(_mode)).save(_stream, _format, **_options)
    SEEDS.append(_stream.getvalue())


@st.composite
def damaged_files(draw):
    content = bytearray(draw(st.sampled_from(SEEDS)))
    for _ in range(draw(st.integers(0, 6))):
        at = draw(st.integers(0, len(content) - 1))
        kind = draw(st.sampled_from(("set", "cut", "insert", "zero")))
        if kind == "set":
            content[at] = draw(st.integers(0, 255))
        elif kind == "cut":
            del content[at : at + draw(st.integers(1, 20))]
        elif kind == "insert":
            content[at:at] = draw(st.binary(min_size=1, max_size=20))
        else:
            content[at : at + 8] = bytes(len(content[at : at + 8]))
        if not content:
            break
    return bytes(content)


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(content=st.one_of(damaged_files(), st.binary(max_size=200)))
def test_any_bytes_are_a_picture_or_one_line(content):
    found = line = None
    try:
        found = decode_gray(io.BytesIO(content), "some.png", max_pixels=1_000_000)
    except LenetError as error:
        line = str(error)
    if found is None:
        assert line.startswith("some.png: found ")
        assert "\n" not in line
    else:
        assert found.dtype == np.uint8
        assert found.ndim == 2
        assert found.flags.c_contiguous


def test_the_formats_are_pillows():
    Image.init()
    assert set(FORMATS) - set(Image.OPEN) <= {"AVIF", "QOI", "WEBP", "JPEG2000"}  # builds without them exist


def test_threads_read_the_same_pixels_and_leave_pillow_as_it_was(tmp_path, digit):
    paths = [saved(Image.fromarray(np.roll(digit, k)), tmp_path / f"{k}.png") for k in range(8)]
    before = Image.MAX_IMAGE_PIXELS, list(warnings.filters), list(logging.getLogger("PIL").handlers)
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(read_gray, paths * 20))
    assert all(np.array_equal(array, np.roll(digit, k % 8)) for k, array in enumerate(found))
    assert (Image.MAX_IMAGE_PIXELS, list(warnings.filters), logging.getLogger("PIL").handlers) == before


def test_threads_read_at_once_and_leave_pillow_as_it_was(tmp_path):
    path = tmp_path / "a.png"
    Image.fromarray(np.zeros((30, 30), np.uint8)).save(path)
    before = Image.MAX_IMAGE_PIXELS, list(warnings.filters), list(logging.getLogger("PIL").handlers)
    with ThreadPoolExecutor(2) as pool:
        with _quiet.reading(1000):
            assert Image.MAX_IMAGE_PIXELS == 1000
            same = pool.submit(read_gray, path, max_pixels=1000)
            assert same.result(timeout=60).shape == (30, 30)
            other = pool.submit(read_gray, path, max_pixels=999)
            with pytest.raises(TimeoutError):
                other.result(timeout=0.2)
            assert Image.MAX_IMAGE_PIXELS == 1000
        assert other.result(timeout=60).shape == (30, 30)
    assert before == (Image.MAX_IMAGE_PIXELS, warnings.filters, logging.getLogger("PIL").handlers)
