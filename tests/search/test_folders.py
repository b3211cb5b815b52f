"""Class folders as people have them: of phones, of recorders, of loggers, with what other systems leave in them."""

from __future__ import annotations

import wave
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.io import wavfile

from tinyforge.errors import UsageError
from tinyforge.search.dataset import make_dataset
from tinyforge.search.sources import load_data


def write_wave(file: Path, content: bytes, width: int = 2, rate: int = 8000, channels: int = 1) -> None:
    with wave.open(str(file), "wb") as made:
        made.setnchannels(channels)
        made.setsampwidth(width)
        made.setframerate(rate)
        made.writeframes(content)


def class_folders(path: Path, *names: str) -> list[Path]:
    made = [path / name for name in names]
    for folder in made:
        folder.mkdir(parents=True)
    return made


def picture(rng: np.random.Generator, width: int = 24, height: int = 24) -> Image.Image:
    return Image.fromarray(rng.integers(0, 256, (height, width, 3)).astype(np.uint8))


def test_what_other_systems_leave_in_folders_is_left_out(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for folder in class_folders(tmp_path, "a", "b"):
        for i in range(6):
            picture(rng).save(folder / f"{i}.png")
        (folder / "._0.png").write_bytes(b"AppleDouble")
        (folder / "Thumbs.db").write_bytes(b"thumbs")
        class_folders(folder, ".cache")[0].joinpath("1.png").write_bytes(b"half a file")
    class_folders(tmp_path, ".git")
    found = load_data(str(tmp_path))
    assert found.classes == ("a", "b")
    assert len(found.train) == 12
    assert not found.notes


def test_photographs_are_read_upright(tmp_path: Path) -> None:
    for folder, value in zip(class_folders(tmp_path, "a", "b"), (6, 1), strict=True):
        image = Image.new("RGB", (40, 20) if value == 6 else (20, 40))
        image.paste((255, 0, 0), (0, 0, 20, 20))
        exif = Image.Exif()
        exif[0x0112] = value
        for i in range(4):
            image.save(folder / f"{i}.jpg", exif=exif, quality=95)
    found = load_data(str(tmp_path))
    assert found.train.x.shape == (8, 40, 20, 3)
    np.testing.assert_allclose(found.train.x[0].astype(int), found.train.x[-1].astype(int), atol=8)


def test_images_of_sixteen_bits_keep_their_shades(tmp_path: Path) -> None:
    shades = np.linspace(0, 65535, 24 * 24).astype(np.uint16).reshape(24, 24)
    for folder in class_folders(tmp_path, "a", "b"):
        for i in range(4):
            Image.fromarray(shades).save(folder / f"{i}.png")
    found = load_data(str(tmp_path))
    np.testing.assert_array_equal(found.train.x[0, :, :, 0], shades >> 8)


def test_images_of_many_sizes_take_the_one_in_the_middle(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for folder in class_folders(tmp_path, "a", "b"):
        for side in (16, 30, 32, 34, 400):
            picture(rng, side, 2 * side).save(folder / f"{side}.png")
    data = make_dataset(load_data(str(tmp_path)), 0)
    assert data.shape == (64, 32, 3)
    assert data.notes == ("images of 5 sizes, all resized to 32x64",)


def test_half_an_image(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    first, second = class_folders(tmp_path, "a", "b")
    for folder in (first, second):
        for i in range(4):
            picture(rng).save(folder / f"{i}.png")
    whole = (second / "3.png").read_bytes()
    (second / "3.png").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UsageError, match=r"b.3\.png cannot be read as an image"):
        load_data(str(tmp_path))
    (first / "0.png").write_bytes(b"no image")
    with pytest.raises(UsageError, match=r"a.0\.png cannot be read as an image"):
        load_data(str(tmp_path))


def test_splits_by_folders(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    sizes = {"training": 40, "validation": 24, "testing": 24}
    for split, side in sizes.items():
        for folder in class_folders(tmp_path / split, "a", "b"):
            for i in range(5):
                picture(rng, side, side).save(folder / f"{i}.png")
    data = make_dataset(load_data(str(tmp_path)), 0)
    assert data.shape == (40, 40, 3)
    assert (len(data.train), len(data.validation), len(data.test)) == (10, 10, 10)
    class_folders(tmp_path / "testing", "c")
    with pytest.raises(UsageError, match=r"a class that .*training does not have"):
        load_data(str(tmp_path))


def test_a_validation_folder_alone_is_the_test_split(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for split in ("train", "val"):
        for folder in class_folders(tmp_path / split, "a", "b"):
            for i in range(8):
                picture(rng).save(folder / f"{i}.png")
    data = make_dataset(load_data(str(tmp_path)), 0)
    assert (len(data.train), len(data.validation), len(data.test)) == (14, 2, 16)


def test_train_can_be_a_class(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for folder in class_folders(tmp_path, "bus", "train"):
        for i in range(4):
            picture(rng).save(folder / f"{i}.png")
    assert load_data(str(tmp_path)).classes == ("bus", "train")


@pytest.mark.parametrize("form", ["8", "24", "32", "float"])
def test_sound_of_other_depths_is_the_same_sound(tmp_path: Path, form: str) -> None:
    tone = np.rint(8000 * np.sin(2 * np.pi * 700 * np.arange(8000) / 8000)).astype(np.int16) & ~255
    first, second = class_folders(tmp_path, "a", "b")
    for i in range(4):
        write_wave(first / f"{i}.wav", tone.astype("<i2").tobytes())
        file = second / f"{i}.wav"
        if form == "24":
            upper = (tone.astype("<i4") << 8).view(np.uint8).reshape(-1, 4)[:, :3]
            write_wave(file, upper.tobytes(), width=3)
        else:
            made = {
                "8": (tone // 256 + 128).astype(np.uint8),
                "32": tone.astype(np.int32) << 16,
                "float": (tone / 32768).astype(np.float32),
            }
            wavfile.write(file, 8000, made[form])
    found = load_data(str(tmp_path)).train
    np.testing.assert_array_equal(found.x[0], found.x[-1])


def test_every_second_of_a_long_recording_is_a_sample_of_one_split(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for folder in class_folders(tmp_path, "a", "b"):
        for i in range(6):
            noise = rng.integers(-9000, 9000, 8000 * 3 + 4000)
            write_wave(folder / f"{i}.wav", noise.astype("<i2").tobytes())
    found = load_data(str(tmp_path))
    assert len(found.train) == 36
    assert found.notes == ("12 recordings make 36 samples of a second",)
    data = make_dataset(found, 0)
    sides = [set(p.groups.tolist()) for p in (data.train, data.validation, data.test) if p.groups is not None]
    assert sorted(n for side in sides for n in side) == list(range(12))


def test_sound_of_several_rates_is_taken_at_the_lowest(tmp_path: Path) -> None:
    for folder, rate in zip(class_folders(tmp_path, "a", "b"), (8000, 44100), strict=True):
        tone = 8000 * np.sin(2 * np.pi * 700 * np.arange(rate) / rate)
        for i in range(4):
            write_wave(folder / f"{i}.wav", tone.astype("<i2").tobytes(), rate=rate)
    found = load_data(str(tmp_path))
    assert found.front_end is not None
    assert found.front_end.rate == 8000
    assert found.notes == ("recordings at 8000, 44100 Hz, all taken at 8000",)
    loud = found.train.x[0] > found.train.x[0].max() - 4
    np.testing.assert_allclose(found.train.x[0][loud], found.train.x[-1][loud], atol=0.1)


@pytest.mark.parametrize("content", [b"", b"RIFF\x00\x00\x00\x00WAVE", b"no sound at all, but some text"])
def test_no_sound(tmp_path: Path, content: bytes) -> None:
    class_folders(tmp_path, "a")[0].joinpath("0.wav").write_bytes(content)
    with pytest.raises(UsageError, match=r"0\.wav cannot be read as a \.wav file"):
        load_data(str(tmp_path))


def test_short_recordings_of_sensors_are_filled_up(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for folder in class_folders(tmp_path, "a", "b"):
        for i, length in enumerate((20, 50, 60, 70)):
            np.savetxt(folder / f"{i}.csv", rng.normal(size=(length, 3)), delimiter=",")
    found = load_data(str(tmp_path))
    assert found.train.x.shape == (8, 55, 1, 3)
    assert (found.train.x[0, 19:] == found.train.x[0, 19]).all()
    assert found.notes == ("windows of 55 steps; 4 of 8 recordings are shorter and filled up",)


def test_the_clock_of_a_logger_is_no_sensor(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for folder in class_folders(tmp_path, "a", "b"):
        for i in range(4):
            times = 1.7e15 + 20000 * np.arange(50)
            table = np.column_stack([times, rng.normal(size=(50, 3))])
            np.savetxt(
                folder / f"{i}.csv", table, "%.3f", ";", header="time;x;y;z", comments="\ufeff", encoding="utf-8"
            )
    found = load_data(str(tmp_path))
    assert found.train.x.shape == (8, 50, 1, 3)
    assert found.notes == ("column time only rises: a clock, left out",)


def test_tables_of_other_columns(tmp_path: Path) -> None:
    for folder, columns in zip(class_folders(tmp_path, "a", "b"), (2, 3), strict=True):
        np.savetxt(folder / "0.csv", np.ones((9, columns)), delimiter=",")
    with pytest.raises(UsageError, match=r"b.0\.csv has 3 columns, .*a.0\.csv has 2"):
        load_data(str(tmp_path))


def test_folders_of_sensor_tables(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for label in ("rest", "walk"):
        (tmp_path / label).mkdir()
        for i in range(4):
            rows = "\n".join(",".join(f"{v:.3f}" for v in row) for row in rng.normal(size=(300 + i, 3)))
            (tmp_path / label / f"{i}.csv").write_text(f"ax,ay,az\n{rows}\n")
    data = make_dataset(load_data(str(tmp_path)), 0)
    assert data.kind == "signal"
    assert data.shape == (128, 1, 3)
    (tmp_path / "rest" / "0.csv").write_text("1,2\n3\n")
    with pytest.raises(UsageError, match=r"0\.csv"):
        load_data(str(tmp_path))


def test_folders_of_sound(tmp_path: Path) -> None:
    for label, hertz in (("low", 300), ("high", 2000)):
        (tmp_path / label).mkdir()
        for i in range(5):
            tone = 8000 * np.sin(2 * np.pi * (hertz + i) * np.arange(6000) / 8000)
            write_wave(tmp_path / label / f"{i}.wav", tone.astype("<i2").tobytes())
    found = load_data(str(tmp_path))
    assert found.kind == "spectrogram"
    assert found.classes == ("high", "low")
    loudest = found.train.x[:, 5, :, 0].argmax(1)
    assert set(loudest[found.train.y == 0]) != set(loudest[found.train.y == 1])


def test_folders_without_classes(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="folder of its own"):
        load_data(str(tmp_path))
    (tmp_path / "a").mkdir()
    with pytest.raises(UsageError, match=r"no image, \.wav or \.csv"):
        load_data(str(tmp_path))
