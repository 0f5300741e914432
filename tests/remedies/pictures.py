"""Remedies of pictures and strokes that are read."""

import os
import shutil

import numpy as np
from PIL import Image
from remedies.place import carries_out, refused

from app.samples import SampleStore
from lenet_gpu import Recognizer
from lenet_gpu.ink.image_files import MAX_BYTES, read_gray


@carries_out("name an image file")
def no_picture(place):
    with refused("name an image file"):
        read_gray(place.folder)
    read_gray(place.picture)


@carries_out("shrink it, or cut out the digit")
def too_large_a_picture(place):
    with refused("shrink it, or cut out the digit"):
        read_gray(place.picture, max_pixels=500)
    Image.open(place.picture).resize((20, 20)).save(place.picture)
    read_gray(place.picture, max_pixels=500)


@carries_out("scale the drawing down", "draw with fewer points, or read a part at a time", "mend the file")
def strokes_beyond_the_bounds(place):
    recognizer, stroke = Recognizer(), np.array([[0.0, 0.0], [0.0, 1e200]])
    with refused("scale the drawing down"):
        recognizer.predict_strokes([stroke])
    recognizer.predict_strokes([stroke / 1e150])
    line = np.linspace(0, 1, 200_002)
    with refused("draw with fewer points, or read a part at a time"):
        recognizer.predict_strokes([np.stack([line, line], 1)])
    recognizer.predict_strokes([np.stack([line, line], 1)[::2]])
    strokes = place.folder / "s.json"
    strokes.write_text("[[[1, 2], [3, 40]")
    assert place.refused("predict", "touch", strokes) == "mend the file"
    strokes.write_text("[[[1, 2], [3, 40]]]")
    place.works("predict", "touch", strokes)


@carries_out("make it smaller, or name another", "shrink the image, or save it as JPEG")
def files_that_are_too_long(place):
    strokes = place.folder / "s.json"
    strokes.write_text("[[[1, 2], [3, 40]]]" + " " * 20_000_000)
    assert place.refused("predict", "touch", strokes) == "make it smaller, or name another"
    strokes.write_text(strokes.read_text().strip())
    place.works("predict", "touch", strokes)
    large = place.folder / "large.bmp"
    shutil.copyfile(place.picture, large)
    os.truncate(large, MAX_BYTES + 1)
    with refused("shrink the image, or save it as JPEG"):
        read_gray(large)
    Image.open(place.picture).save(place.folder / "small.jpg")
    read_gray(place.folder / "small.jpg")


@carries_out("save it again")
def a_picture_with_nan(place):
    values = np.linspace(0, 1, 784, dtype=np.float32).reshape(28, 28)
    values[3, 3] = np.nan
    Image.fromarray(values).save("nan.tiff")
    with refused("save it again"):
        read_gray("nan.tiff")
    Image.fromarray(np.nan_to_num(values)).save("nan.tiff")
    read_gray("nan.tiff")


@carries_out("teach the app a digit first")
def the_apps_samples(place):
    store = SampleStore(place.folder / "app")
    with refused("teach the app a digit first"):
        store.export("samples.csv")
    store.add([np.array([[1.0, 2.0], [3.0, 40.0]])], 1)
    store.export("samples.csv")
