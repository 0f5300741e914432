"""From labelled pictures, as they were read, to a `Dataset`: classes numbered, a test set held out."""

from __future__ import annotations

import logging
from collections.abc import Mapping

import numpy as np

from lenet_gpu.datasets.arrays import Label, find_classes, number_labels
from lenet_gpu.datasets.dataset import HOLD_OUT, Bytes, Dataset, Split
from lenet_gpu.datasets.raw import Raw, odd_label
from lenet_gpu.datasets.settle import picture_keys, settle
from lenet_gpu.errors import DataError
from lenet_gpu.paper import CLASSES

LOGGER = logging.getLogger("lenet_gpu")


def assemble(
    name: str, train: Raw, validation: Raw | None = None, test: Raw | None = None, *, addition: bool = False
) -> Dataset:
    """Make a data set.

    Whole numbers from 0 to 9 are digits, with ten classes whichever of them there are. Any other labels of the
    training set, 2 to 64, are the classes.

    Args:
        name: Its name.
        train: Pictures to learn from.
        validation: Pictures to choose with, if there are any.
        test: Pictures to measure with; if None, a sixth of each class of `train` is held out, and that is said.
        addition: They will be added to another set, which has its own test: nothing is held out, and one class alone
            or a single picture will do.

    Returns:
        The data set.

    Raises:
        DataError: No labels, one class alone, too many, a label that training pictures do not have, or pictures
            that nothing can be learnt from.
    """
    parts = {
        key: settle(_labelled(raw))
        for key, raw in (("train", train), ("validation", validation), ("test", test))
        if raw is not None
    }
    classes = _classes(parts, least=1 if addition else 2)
    digests = {
        key: value for raw in (train, validation, test) if raw is not None for key, value in raw.digests.items()
    }
    splits = {key: _split(raw, classes) for key, raw in parts.items()}
    if "test" not in splits and addition:
        splits["test"] = splits["train"]
    elif "test" not in splits:
        splits["train"], splits["test"] = hold_out(splits["train"], train.thing)
        kept, whole = len(splits["test"]), len(parts["train"])
        LOGGER.warning("%s has no test set: %d of its %d pictures, a sixth of each class, are held out for it",
                       name, kept, whole)  # fmt: skip
    return Dataset(name, splits["train"], splits["test"], digests, splits.get("validation"), classes)


def hold_out(split: Split, thing: str) -> tuple[Split, Split]:
    """Split a single set into one to learn from and one to test with.

    Of each class a sixth is held out: those whose content has the smallest hashes. So it depends neither on the order
    of the file nor on anything random, and a picture that comes twice is not learnt from and tested with.

    Args:
        split: The set.
        thing: Name of its source, for messages.

    Returns:
        The training split and the test split, both in the order given.

    Raises:
        DataError: No class has six samples, so that nothing would be left to test with.
    """
    keys = picture_keys(split.images)
    out = np.zeros(len(split), dtype=bool)
    for number in range(split.classes):
        members = np.flatnonzero(split.labels == number)
        in_order = members[np.argsort(keys[members], kind="stable")]
        out[in_order[: len(members) // HOLD_OUT]] = True
        # Equal pictures stay together, on the side of the training.
        out[members[np.isin(keys[members], keys[members[~out[members]]])]] = False
    if not out.any():
        raise DataError(
            thing,
            found=f"fewer than {HOLD_OUT} samples of each class",
            expected=f"at least {HOLD_OUT} of one, of which a {HOLD_OUT}th is kept for the test",
            remedy="add samples, or give a train and a test set",
        )
    return split.take(~out), split.take(out)


def _labelled(raw: Raw) -> Raw:
    if raw.labels is None:
        raise DataError(
            raw.thing,
            found="pictures without labels",
            expected="a label for each",
            remedy="name labelled data here; lenet-gpu predict MODEL FILE reads pictures without",
        )
    odd = odd_label(raw.labels)
    if odd is not None:
        raise DataError(
            raw.labels_thing or raw.thing,
            found=f"the label {raw.labels[odd].item()!r} of picture {raw.listed(np.array([odd]))} alone",
            expected="labels of one kind, each of several pictures",
            remedy="mend or remove it",
        )
    if raw.labels.dtype.kind == "U":
        found = set(raw.labels.tolist())
        if all(text.isascii() and text.isdecimal() and len(text) < 19 for text in found):
            raw.labels = raw.labels.astype(np.int64)
    return raw


def _classes(parts: Mapping[str, Raw], least: int) -> tuple[Label, ...]:
    """Find the classes; all parts know the same."""
    labels = [raw.labels for raw in parts.values() if raw.labels is not None]
    train = parts["train"]
    assert train.labels is not None
    found = np.unique(train.labels).tolist()
    if len(found) < least:
        raise DataError(
            train.thing,
            found=f"one class alone ({found[0]})",
            expected="two or more to learn the difference of",
            remedy="add pictures of another class",
        )
    if all(array.dtype.kind in "iu" and array.min() >= 0 and array.max() < CLASSES for array in labels):
        return tuple(range(CLASSES))
    classes = find_classes(train.labels, f"labels of {train.thing}")
    shown = ", ".join(map(str, classes[:8])) + (" ..." if len(classes) > 8 else "")
    LOGGER.warning("%s: %d classes, %s", train.thing, len(classes), shown)
    return classes


def _split(raw: Raw, classes: tuple[Label, ...]) -> Split:
    assert raw.labels is not None
    labels: Bytes = number_labels(raw.labels, classes, f"labels of {raw.thing}")
    return Split(raw.images, labels, classes=len(classes))
