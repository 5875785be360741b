"""Images as numbers: sizes, colours, masks, and files that are handled or refused by name."""

import struct
import zlib
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

from anomalo.encoding.encoded import Encoded
from anomalo.encoding.image_encoder import ImageEncoder
from anomalo.encoding.images import decoding
from anomalo.encoding.images.decoding import decoded, decoded_mask, image_size
from anomalo.errors import SourceError
from anomalo.tabular.reading.reader import read
from anomalo.tabular.schema import infer

RNG = np.random.default_rng(3)
NOISE = RNG.integers(0, 256, (12, 20), np.uint8)
COLOURS = RNG.integers(0, 256, (12, 20, 3), np.uint8)


def encoder_and_rows(source: Path) -> tuple[ImageEncoder, Encoded]:
    batches = read(str(source))
    assert batches is not None
    table = pa.Table.from_batches(list(batches))
    schema = infer(table)
    columns = schema.parse(table)
    encoder = ImageEncoder().fit(columns, schema)
    return encoder, encoder.encode(columns)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "parts"
    place.mkdir()
    for at in range(6):
        Image.fromarray(np.roll(NOISE, at, axis=0)).save(place / f"{at}.png")
    return place


def test_grey_images_have_one_channel_and_come_back_as_they_were(folder: Path) -> None:
    encoder, data = encoder_and_rows(folder)
    assert data.values.shape == (6, 1, 12, 20)
    assert data.observed.all()
    assert abs(data.values.mean()) < 1e-6
    assert np.abs(encoder.pixels(data.values)[0, :, :, 0] * 255 - NOISE).max() < 1e-3
    block = encoder.layout.blocks[0]
    assert block.low <= data.values.min() <= data.values.max() <= block.high


def test_an_encoder_is_rebuilt_from_json(folder: Path) -> None:
    encoder, data = encoder_and_rows(folder)
    schema = infer(pa.Table.from_batches(list(read(str(folder)) or ())))
    again = ImageEncoder.from_json(encoder.to_json(), schema)
    assert again.layout == encoder.layout
    table = pa.Table.from_batches(list(read(str(folder)) or ()))
    assert (again.encode(schema.parse(table)).values == data.values).all()


def test_colours_have_three_channels_and_sizes_become_the_median(folder: Path) -> None:
    Image.fromarray(COLOURS).resize((40, 24)).save(folder / "6.png")
    encoder, data = encoder_and_rows(folder)
    assert data.values.shape == (7, 3, 12, 20)
    assert [block.name for block in encoder.layout.blocks] == ["red", "green", "blue"]


def test_large_images_are_reduced_in_proportion(tmp_path: Path) -> None:
    Image.fromarray(np.zeros((500, 1000), np.uint8)).save(tmp_path / "a.png")
    assert encoder_and_rows(tmp_path)[1].values.shape == (1, 1, 64, 128)


def test_a_mask_hides_pixels_whatever_is_under_it(folder: Path) -> None:
    hidden = np.zeros((12, 20), np.uint8)
    hidden[2:5, 3:9] = 7
    Image.fromarray(hidden).save(folder / "1.mask.png")
    data = encoder_and_rows(folder)[1]
    assert (data.observed[1, 0] == (hidden == 0)).all()
    assert (data.values[1, 0][hidden > 0] == 0).all()
    assert data.observed[[0, 2]].all()


def test_a_mask_of_another_size_hides_each_pixel_that_it_touches(tmp_path: Path) -> None:
    hidden = np.zeros((24, 40), np.uint8)
    hidden[5, 5] = 255
    Image.fromarray(hidden).save(tmp_path / "m.png")
    assert np.argwhere(decoded_mask(str(tmp_path / "m.png"), (12, 20))).tolist() == [[2, 2]]


def test_sixteen_bits_are_eight_with_more_shades(tmp_path: Path) -> None:
    Image.fromarray(NOISE).save(tmp_path / "8.png")
    Image.fromarray(NOISE.astype(np.uint16) * 257).save(tmp_path / "16.png")
    eight, sixteen = (decoded(str(tmp_path / name), None, 1)[0] for name in ("8.png", "16.png"))
    assert np.abs(eight - sixteen).max() < 1e-6


def test_cmyk_becomes_red_green_and_blue(tmp_path: Path) -> None:
    Image.fromarray(COLOURS).convert("CMYK").save(tmp_path / "c.tif")
    pixels, _ = decoded(str(tmp_path / "c.tif"))
    assert np.abs(pixels * 255 - COLOURS).max() <= 1


def test_a_rotated_photograph_is_upright(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[decoding.ORIENTATION] = 6  # a quarter turn clockwise
    Image.fromarray(NOISE).save(tmp_path / "r.png", exif=exif)
    assert image_size(str(tmp_path / "r.png")) == (20, 12)
    upright = decoded(str(tmp_path / "r.png"), None, 1)[0][:, :, 0]
    assert np.abs(upright * 255 - np.rot90(NOISE, -1)).max() < 1e-3


def test_transparent_pixels_are_hidden(tmp_path: Path) -> None:
    alpha = np.full((12, 20, 1), 255, np.uint8)
    alpha[:4] = 0
    Image.fromarray(np.concatenate([COLOURS, alpha], axis=2)).save(tmp_path / "t.png")
    _, seen = decoded(str(tmp_path / "t.png"))
    assert (seen == (alpha[:, :, 0] > 0)).all()


def broken(tmp_path: Path, name: str) -> Path:
    place = tmp_path / name
    if name == "empty.png":
        place.write_bytes(b"")
    elif name == "text.png":
        place.write_text("no image at all")
    elif name == "cut.png":
        Image.fromarray(RNG.integers(0, 256, (90, 90), np.uint8)).save(place)
        place.write_bytes(place.read_bytes()[:-3000])
    elif name == "animated.png":
        frames = [Image.fromarray(np.full((8, 8), shade, np.uint8)) for shade in (0, 128, 255)]
        frames[0].save(place, save_all=True, append_images=frames[1:])
    elif name == "pages.tif":
        frames = [Image.fromarray(np.full((8, 8), shade, np.uint8)) for shade in (0, 255)]
        frames[0].save(place, save_all=True, append_images=frames[1:])
    elif name == "depth.tif":
        Image.fromarray(np.full((8, 8), 7.5, np.float32)).save(place)
    return place


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("empty.png", "is empty or damaged"),
        ("text.png", "is empty or damaged"),
        ("cut.png", "is a damaged image"),
        ("animated.png", "has 3 frames"),
        ("pages.tif", "has 2 frames"),
        ("depth.tif", "has pixels from 7.5 to 7.5"),
        ("absent.png", "no such image"),
    ],
)
def test_a_file_that_is_no_image_is_refused_by_its_name(tmp_path: Path, name: str, message: str) -> None:
    place = broken(tmp_path, name)
    with pytest.raises(SourceError, match=message) as refused:
        decoded(str(place), (8, 8), 1)
    assert str(place) in str(refused.value)


def test_a_decompression_bomb_is_refused_before_it_is_decoded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Image.fromarray(NOISE).save(tmp_path / "big.png")
    monkeypatch.setattr(decoding, "MOST_PIXELS", 200)
    with pytest.raises(SourceError, match=r"big\.png has more than 200 pixels"):
        decoded(str(tmp_path / "big.png"))


def test_images_of_an_array_are_read_in_any_order(tmp_path: Path) -> None:
    images = RNG.integers(0, 256, (5, 12, 20, 3), np.uint8)
    np.savez_compressed(tmp_path / "x.npz", images=images)
    for at in (3, 0, 4, 4):
        pixels, seen = decoded(f"{tmp_path / 'x.npz'}#{at}")
        assert np.abs(pixels * 255 - images[at]).max() < 1e-4
        assert seen.all()
    with pytest.raises(SourceError, match="no number 5"):
        decoded(f"{tmp_path / 'x.npz'}#5")


def test_a_changed_array_is_read_again(tmp_path: Path) -> None:
    for shade, size in ((0, 3), (255, 4)):
        np.savez(tmp_path / "x.npz", images=np.full((size, 4, 4), shade, np.uint8))
        assert decoded(f"{tmp_path / 'x.npz'}#1", None, 1)[0].max() == shade / 255


@pytest.mark.parametrize("side", [9_400, 60_000])
def test_a_small_file_that_says_it_is_huge_is_refused_by_its_name(tmp_path: Path, side: int) -> None:
    """Pillow warns of the first size, and refuses the second."""
    place, said = tmp_path / "bomb.png", struct.pack(">II", side, side) + b"\x08\x00\x00\x00\x00"
    chunk = b"IHDR" + said
    header = struct.pack(">I", len(said)) + chunk + struct.pack(">I", zlib.crc32(chunk))
    place.write_bytes(b"\x89PNG\r\n\x1a\n" + header + struct.pack(">I", 0) + b"IDAT" + struct.pack(">I", 0))
    with pytest.raises(SourceError, match=r"bomb\.png has more than 80,000,000 pixels"):
        decoded(str(place), (8, 8), 1)
