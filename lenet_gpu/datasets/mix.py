"""Add data sets to another one, to learn from both."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from lenet_gpu.datasets.dataset import Dataset, Split
from lenet_gpu.errors import DataError


def with_added(data: Dataset, added: Dataset, name: str) -> Dataset:
    """Add the training set of one data set to that of another.

    What is tested, and what is validated with, stays that of `data`: its figures can be compared with those of a
    training without the addition.

    Args:
        data: The data set.
        added: What is added; its test and validation sets are not used.
        name: Its name, under which its digests are kept.

    Returns:
        The data set with more to learn from; digests of the addition are called NAME/FILE.

    Raises:
        DataError: The addition has other classes.
    """
    if added.class_labels != data.class_labels:
        shown = ", ".join(map(str, added.class_labels[:6])) + (" ..." if added.classes > 6 else "")
        raise DataError(
            name,
            found=f"the classes {shown}",
            expected=f"those of {data.name}: {', '.join(map(str, data.class_labels[:6]))}"
            + (" ..." if data.classes > 6 else ""),
            remedy="add data of the same classes, or train on it alone",
        )
    train = Split(
        np.concatenate([data.train.images, added.train.images]),
        np.concatenate([data.train.labels, added.train.labels]),
        classes=data.classes,
    )
    digests = {**data.digests, **{f"{name}/{member}": digest for member, digest in added.digests.items()}}
    return replace(data, train=train, digests=digests)
