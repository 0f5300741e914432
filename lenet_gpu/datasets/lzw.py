"""The `.Z` files of the UNIX program compress: LZW with codes that grow from 9 bits to 16.

T. A. Welch, "A technique for high-performance data compression", Computer 17(6), 1984. A file is the magic number
1F 9D, a byte that holds the greatest code length and whether code 256 clears the table, then the codes, lowest bit
first. The writer emits codes in groups of eight; when the length changes, the rest of a group is padding.
"""

from __future__ import annotations

from lenet_gpu.errors import DataError

MAGIC = b"\x1f\x9d"
CLEAR = 256
BLOCK_MODE = 0x80  # in the third byte: code 256 clears the table
LENGTHS = range(9, 17)
AGAIN = "the file is damaged or not what its name says: fetch it again"


def uncompress(data: bytes, name: str, most_bytes: int) -> bytes:
    """Decompress a `.Z` file.

    Args:
        data: The file.
        name: Its name in messages.
        most_bytes: No more than this is ever decompressed.

    Returns:
        Its content.

    Raises:
        DataError: If it is not a `.Z` file, is damaged, or holds more than it may.
    """
    if data[:2] != MAGIC or len(data) < 3 or data[2] & 0x1F not in LENGTHS:
        raise DataError(name, found="another form of file", expected="a .Z file of compress", remedy=AGAIN)
    longest, clears = data[2] & 0x1F, bool(data[2] & BLOCK_MODE)
    fresh = [bytes((value,)) for value in range(256)] + ([b""] if clears else [])
    table = fresh.copy()
    bits, group, at, end = 9, 0, 0, 8 * (len(data) - 3)  # bits: code length; the others are positions in bits
    codes, pieces, size = data[3:], [], 0
    previous = b""
    while at + bits <= end:
        code = int.from_bytes(codes[at >> 3 : (at >> 3) + 4], "little") >> (at & 7) & ((1 << bits) - 1)
        at += bits
        if clears and code == CLEAR:
            at = group = _next_group(at, group, bits)
            table, bits, previous = fresh.copy(), 9, b""
            continue
        if code < len(table):
            piece = table[code]
        elif code == len(table) and previous:
            piece = previous + previous[:1]  # the code that is just being defined (Welch's special case)
        else:
            raise DataError(name, found=f"code {code} that is not defined yet", expected="whole data", remedy=AGAIN)
        if previous and len(table) < 1 << longest:
            table.append(previous + piece[:1])
            if len(table) == 1 << bits and bits < longest:
                at = group = _next_group(at, group, bits)
                bits += 1
        pieces.append(piece)
        previous = piece
        size += len(piece)
        if size > most_bytes:
            raise DataError(name, found=f"more than {most_bytes:,} bytes", expected="at most that", remedy=AGAIN)
    return b"".join(pieces)


def _next_group(at: int, group: int, bits: int) -> int:
    """Return where the next group of eight codes starts, given where those of this length started."""
    return group + -(-(at - group) // (8 * bits)) * 8 * bits
