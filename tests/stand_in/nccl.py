"""A stand-in for cupy.cuda.nccl, for ranks that are threads: communicators meet by their id, and copy memory."""

import ctypes
import itertools
import threading

NCCL_FLOAT32 = 7

_ids = itertools.count()
_meetings = {}
_lock = threading.Lock()
_group = threading.local()


def get_unique_id():
    return b"stand-in" + next(_ids).to_bytes(8, "big") + bytes(112)


def groupStart():
    assert not getattr(_group, "open", False)
    _group.open = True


def groupEnd():
    assert _group.open
    _group.open = False


class NcclCommunicator:
    """Knows broadcasts of float32, as long as they come within a group and in the same order everywhere."""

    def __init__(self, ndev, commId, rank):
        assert len(commId) == 128
        assert 0 <= rank < ndev
        with _lock:
            self._slots, self._barrier = _meetings.setdefault(
                commId, ([None] * ndev, threading.Barrier(ndev, timeout=60))
            )
        self._rank = rank
        self._barrier.wait()

    def broadcast(self, sendbuff, recvbuff, count, datatype, root, stream):
        assert datatype == NCCL_FLOAT32
        assert _group.open
        self._slots[self._rank] = (sendbuff, count, root)
        self._barrier.wait()
        source, amount, agreed = self._slots[root]
        assert (amount, agreed) == (count, root)
        if recvbuff != source:
            ctypes.memmove(recvbuff, source, 4 * count)
        self._barrier.wait()
