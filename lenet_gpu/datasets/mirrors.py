"""The sources of the named data sets: addresses and digests as data.

MNIST: Y. LeCun, C. Cortes, C. Burges, "The MNIST database of handwritten digits"; the digests are of the
uncompressed idx files, since gzip writes the same content in many ways.
EMNIST: G. Cohen, S. Afshar, J. Tapson, A. van Schaik, "EMNIST: an extension of MNIST to handwritten letters",
2017, from NIST Special Database 19; published as one zip, whose digest and whose members' digests are of the
gzip files as stored in it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

TIMEOUT = 30.0  # seconds without a byte, or with next to none, after which a connection counts as stalled

Role = Literal["train-images", "train-labels", "test-images", "test-labels"]


@dataclass(frozen=True)
class Member:
    """One idx file of a named data set.

    Args:
        name: Its canonical name, without `.gz`.
        content_sha256: Of the uncompressed file, if published.
        stored_sha256: Of the gzip file, if only that is published.
        size: Length of the uncompressed file in bytes: no download of it is ever longer.
    """

    name: str
    content_sha256: str | None = None
    stored_sha256: str | None = None
    size: int = 0


@dataclass(frozen=True)
class Archive:
    """A zip that holds the members, for a data set published as one.

    Args:
        name: File name.
        size: Length in bytes.
        sha256: Of the zip.
    """

    name: str
    size: int
    sha256: str


@dataclass(frozen=True)
class Collection:
    """A data set known by name.

    Args:
        name: The name given to `load_dataset`.
        mirrors: Addresses that a file's name is appended to, in the order tried.
        members: The four idx files.
        archive: The zip to fetch instead of single files, if it comes so.
        transposed: Whether each image is stored with rows and columns exchanged.
    """

    name: str
    mirrors: tuple[str, ...]
    members: dict[Role, Member]
    archive: Archive | None = None
    transposed: bool = False


MNIST = Collection(
    name="mnist",
    mirrors=(
        "https://ossci-datasets.s3.amazonaws.com/mnist/",
        "https://storage.googleapis.com/cvdf-datasets/mnist/",
    ),
    members={
        "train-images": Member(
            "train-images-idx3-ubyte",
            content_sha256="ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
            size=47_040_016,
        ),
        "train-labels": Member(
            "train-labels-idx1-ubyte",
            content_sha256="65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
            size=60_008,
        ),
        "test-images": Member(
            "t10k-images-idx3-ubyte",
            content_sha256="0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
            size=7_840_016,
        ),
        "test-labels": Member(
            "t10k-labels-idx1-ubyte",
            content_sha256="ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
            size=10_008,
        ),
    },
)

EMNIST_DIGITS = Collection(
    name="emnist-digits",
    mirrors=("https://biometrics.nist.gov/cs_links/EMNIST/",),
    members={
        "train-images": Member(
            "emnist-digits-train-images-idx3-ubyte",
            stored_sha256="f7c95004d14d81af89522e67d8f0c781dfb3bd544181c81bfe1eb6b41c35b726",
            size=188_160_016,
        ),
        "train-labels": Member(
            "emnist-digits-train-labels-idx1-ubyte",
            stored_sha256="6638a6ff5fe2eefd9cca2471995b46c82986b8e4b2a70d2f5ce8e05d7edb319e",
            size=240_008,
        ),
        "test-images": Member(
            "emnist-digits-test-images-idx3-ubyte",
            stored_sha256="20ebe43509264f7639d37c835a3f0b009e90b29e00a099a03101abe1644a3f63",
            size=31_360_016,
        ),
        "test-labels": Member(
            "emnist-digits-test-labels-idx1-ubyte",
            stored_sha256="bad1834c45d5988e270b99d43b13edc3fd898f658ffbc2caf2846ef27f7b05b0",
            size=40_008,
        ),
    },
    archive=Archive(
        "gzip.zip",
        size=561_753_746,
        sha256="fb9bb67e33772a9cc0b895e4ecf36d2cf35be8b709693c3564cea2a019fcda8e",
    ),
    transposed=True,
)

COLLECTIONS = {collection.name: collection for collection in (MNIST, EMNIST_DIGITS)}
