"""Writes small .hic files of versions 8 and 9 with normalisation vectors, as Juicer's tools do.

hictkpy writes version 9 only, and no vectors. One block holds all pixels of a chromosome, so that
block numbers, which differ between the versions, are 0.
"""

import struct
import zlib


def _text(value):
    return value.encode() + b"\0"


def write(path, sizes, width, counts, vectors, *, version=8):
    """Writes contacts within chromosomes, at one resolution.

    counts: upper triangles of counts, by chromosome; vectors: {name: {chromosome: values}}.
    """
    names = ["All", *sizes]
    lengths = [max(1, sum(sizes.values()) // 1000), *sizes.values()]
    long = "<q" if version >= 9 else "<i"  # lengths and numbers of values
    real = "f" if version >= 9 else "d"

    def header(footer, index, index_length):
        content = b"HIC\0" + struct.pack("<iq", version, footer) + _text("test")
        if version >= 9:
            content += struct.pack("<qq", index, index_length)
        content += struct.pack("<i", 0) + struct.pack("<i", len(names))
        for name, length in zip(names, lengths, strict=True):
            content += _text(name) + struct.pack(long, length)
        return content + struct.pack("<iii", 1, width, 0)

    start = len(header(0, 0, 0))
    body, entries = b"", b""
    for number, chrom in enumerate(sizes, 1):
        block = zlib.compress(_block(counts[chrom], version))
        matrix_position = start + len(body)
        head = struct.pack("<iii", number, number, 1) + _text("BP")
        total = float(counts[chrom].sum())
        head += struct.pack("<iffffiiii", 0, total, 0, 0, 0, width, 1 << 20, 1, 1)
        block_position = matrix_position + len(head) + struct.calcsize("<iqi")
        matrix = head + struct.pack("<iqi", 0, block_position, len(block))
        entries += _text(f"{number}_{number}")
        entries += struct.pack("<qi", matrix_position, len(matrix))
        body += matrix + block
    index = b""
    for name, by_chrom in vectors.items():
        for number, chrom in enumerate(sizes, 1):
            if chrom not in by_chrom:
                continue
            values = by_chrom[chrom]
            vector = struct.pack(long, len(values)) + struct.pack(f"<{len(values)}{real}", *values)
            index += _text(name) + struct.pack("<i", number) + _text("BP")
            index += struct.pack("<iq", width, start + len(body)) + struct.pack(long, len(vector))
            body += vector
    count = sum(len(by_chrom) for by_chrom in vectors.values())
    index = struct.pack("<i", count) + index
    master = struct.pack("<i", len(sizes)) + entries + struct.pack("<i", 0)
    footer = struct.pack(long, len(master)) + master + struct.pack("<i", 0)
    position = start + len(body)
    path.write_bytes(header(position, position + len(footer), len(index)) + body + footer + index)
    return path


def _block(counts, version):
    """One block as a list of rows: row y holds the pixels (x, y) with x <= y."""
    rows = {}
    for x, y in zip(*counts.nonzero(), strict=True):
        rows.setdefault(int(y), []).append((int(x), float(counts[x, y])))
    content = struct.pack("<iii", sum(map(len, rows.values())), 0, 0) + b"\1"  # floats
    if version >= 9:
        content += b"\0\0"  # 16 bits for positions
    content += b"\1" + struct.pack("<h", len(rows))
    for y, pixels in sorted(rows.items()):
        content += struct.pack("<hh", y, len(pixels))
        content += b"".join(struct.pack("<hf", x, value) for x, value in pixels)
    return content
