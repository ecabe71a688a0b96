"""A picture for every story: hills before a sky, drawn from the story's name, as PNG."""

import hashlib
import math
import struct
import zlib
from functools import cache

WIDTH, HEIGHT = 320, 180


@cache
def png(name: str) -> bytes:
    """A PNG of WIDTH × HEIGHT pixels; the same name always gives the same bytes."""
    seed = hashlib.sha256(name.encode()).digest()
    sky, sun = (90 + seed[0] % 90, 130 + seed[1] % 80, 190 + seed[2] % 60), (250, 205 + seed[3] % 40, 140)
    hills = [(30 + seed[4 + i] % 60, 70 + 30 * i + seed[7 + i] % 30, 60 + seed[10 + i] % 50) for i in range(3)]
    sun_x, sun_y = 40 + seed[13] % (WIDTH - 80), 30 + seed[14] % 40
    skyline = [
        [
            HEIGHT * (0.45 + 0.17 * i)
            + 14 * math.sin(x / (31 + seed[15 + i] % 30) + seed[18 + i])
            + 6 * math.sin(x / 11 + seed[21 + i])
            for x in range(WIDTH)
        ]
        for i in range(3)
    ]
    rows = bytearray()
    for y in range(HEIGHT):
        rows.append(0)
        fade = y / HEIGHT
        air = bytes(min(255, round(c + (255 - c) * fade)) for c in sky)
        for x in range(WIDTH):
            nearest = next((i for i in (2, 1, 0) if y >= skyline[i][x]), None)
            if nearest is not None:
                rows += bytes(hills[nearest])
            else:
                rows += bytes(sun) if (x - sun_x) ** 2 + (y - sun_y) ** 2 < 324 else air
    header = struct.pack(">IIBBBBB", WIDTH, HEIGHT, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(bytes(rows), 9)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, data) for kind, data in chunks)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
