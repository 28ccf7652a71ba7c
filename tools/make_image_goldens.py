# SPDX-License-Identifier: Apache-2.0
"""Writes tests/data/images: small synthetic pictures in every format that Hedge reads, what Pillow makes of them,
and what Pillow's resize and crop, as torchvision calls them, make of one; and the seeds of the fuzzers of pictures
and arrays, fuzz/corpus. Needs numpy and Pillow 13 (older ones round tall pictures otherwise)."""
import argparse
import io
import os
import struct
import zlib

import numpy
from PIL import Image, ImageOps


def picture(height, width, seed):
    """Gradients, an edge in every direction and noise: what subsampling and resizing get wrong shows."""
    random = numpy.random.default_rng(seed)
    y, x = numpy.mgrid[0:height, 0:width]
    planes = [255 * x / max(1, width - 1), 255 * y / max(1, height - 1), 128 + 100 * numpy.sin(x / 3 + y / 5)]
    image = numpy.stack(planes, -1)
    image[(y - height / 2) ** 2 + (x - width / 3) ** 2 < (height / 4) ** 2] = (255, 16, 0)
    image[(x + y) % 11 == 0] = (0, 40, 250)
    image += random.normal(0, 12, image.shape)
    return numpy.clip(numpy.rint(image), 0, 255).astype(numpy.uint8)


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width, height, depth, color, rows, interlace=0, extra=b""):
    """PNG of forms that Pillow does not write; `rows` are bytes with their filter byte."""
    header = struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, interlace)
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + extra + chunk(b"IDAT", zlib.compress(rows, 9)) +
            chunk(b"IEND", b""))


def adam7(pixels):
    rows = b""
    for y0, x0, dy, dx in ((0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2),
                           (1, 0, 2, 1)):
        for row in pixels[y0::dy, x0::dx]:
            if row.size:
                rows += b"\0" + row.tobytes()
    return rows


def bmp(pixels, bits, compression=0, masks=b"", top_down=False, pack=None):
    height, width = pixels.shape[:2]
    rows = [pack(row) for row in (pixels if top_down else pixels[::-1])]
    rows = b"".join(row + b"\0" * (-len(row) % 4) for row in rows)
    offset = 14 + 40 + len(masks)
    return (b"BM" + struct.pack("<IHHI", offset + len(rows), 0, 0, offset) +
            struct.pack("<IiiHHIIiiII", 40, width, -height if top_down else height, 1, bits, compression, len(rows),
                        0, 0, 0, 0) + masks + rows)


def saved(image, kind, **options):
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def oriented(image, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif


def files():
    """Name and bytes of each picture."""
    pixels = picture(25, 33, 1)
    image = Image.fromarray(pixels)
    grey = image.convert("L")
    yield "420.jpg", saved(image, "JPEG", quality=80, subsampling=2)
    yield "422.jpg", saved(image, "JPEG", quality=90, subsampling=1)
    yield "444.jpg", saved(image, "JPEG", quality=95, subsampling=0)
    yield "progressive.jpg", saved(image, "JPEG", quality=70, progressive=True)
    yield "restarts.jpg", saved(image, "JPEG", quality=85, restart_marker_rows=1)
    yield "grey.jpg", saved(grey, "JPEG", quality=85)
    yield "cmyk.jpg", saved(Image.fromarray(numpy.dstack([255 - pixels, 255 - pixels[..., :1] // 2])[..., :4], "CMYK"),
                            "JPEG", quality=90)
    yield "1x1.jpg", saved(image.crop((0, 0, 1, 1)), "JPEG")
    for orientation in range(1, 9):
        yield f"exif{orientation}.jpg", saved(image.crop((0, 0, 20, 11)), "JPEG", quality=90,
                                              exif=oriented(image, orientation))
    yield "exif6.png", saved(image.crop((0, 0, 20, 11)), "PNG", exif=oriented(image, 6))
    yield "rgb.png", saved(image, "PNG")
    yield "rgba.png", saved(Image.fromarray(numpy.dstack([pixels, pixels[..., 1]])), "PNG")
    yield "grey.png", saved(grey, "PNG")
    yield "grey_alpha.png", saved(Image.merge("LA", (grey, grey)), "PNG")
    yield "palette.png", saved(image.quantize(40), "PNG")
    yield "palette_transparent.png", saved(image.quantize(16), "PNG", transparency=3)
    yield "bits1.png", saved(image.convert("1"), "PNG")
    levels = numpy.asarray(grey)
    for bits in (2, 4):
        packed = b""
        for row in levels >> (8 - bits):
            row = numpy.append(row, numpy.zeros(-len(row) % (8 // bits), numpy.uint8))
            packed += b"\0" + bytes(sum(int(v) << (8 - bits * (i + 1)) for i, v in enumerate(part))
                                    for part in row.reshape(-1, 8 // bits))
        yield f"bits{bits}.png", png(33, 25, bits, 0, packed)
    wide = pixels.astype(numpy.uint16) * 256 + 255 - pixels
    yield "rgb16.png", png(33, 25, 16, 2, b"".join(b"\0" + row.astype(">u2").tobytes() for row in wide))
    yield "interlaced.png", png(33, 25, 8, 2, adam7(pixels), interlace=1)
    gamma = chunk(b"gAMA", struct.pack(">I", 100000))
    yield "gamma.png", png(33, 25, 8, 2, b"".join(b"\0" + row.tobytes() for row in pixels), extra=gamma)
    yield "rgb.bmp", saved(image, "BMP")
    yield "grey.bmp", saved(grey, "BMP")
    yield "palette.bmp", saved(image.quantize(40), "BMP")
    yield "bits1.bmp", saved(image.convert("1"), "BMP")
    yield "rgbx.bmp", bmp(pixels, 32, pack=lambda row: numpy.dstack([row[None, :, ::-1], row[None, :, :1]]).tobytes())
    yield "top_down.bmp", bmp(pixels, 24, top_down=True, pack=lambda row: row[:, ::-1].tobytes())

    def five_bits(row, green):
        r, g, b = (row[:, c].astype("<u2") for c in range(3))
        return ((r >> 3) << (5 + green) | (g >> (8 - green)) << 5 | b >> 3).astype("<u2").tobytes()
    yield "555.bmp", bmp(pixels, 16, pack=lambda row: five_bits(row, 5))
    yield "565.bmp", bmp(pixels, 16, 3, struct.pack("<III", 0xF800, 0x7E0, 0x1F), pack=lambda row: five_bits(row, 6))
    yield "rgb.ppm", saved(image, "PPM")
    yield "grey.pgm", saved(grey, "PPM")
    yield "plain.ppm", b"P3\n# a comment\n33 25 # and one\n255\n" + b"\n".join(
        b" ".join(b"%d" % v for v in row.reshape(-1)) for row in pixels)
    yield "max100.pgm", b"P5 33 25 100\n" + (levels % 101).tobytes()
    yield "photo.png", saved(Image.fromarray(picture(61, 83, 2)), "PNG")
    yield "tall.jpg", saved(Image.fromarray(picture(83, 40, 3)), "JPEG", quality=90)


FILTERS = {"bilinear": Image.BILINEAR, "bicubic": Image.BICUBIC, "nearest": Image.NEAREST}

# file, resize, crop (height, width), interpolation
FITS = [
    ("photo.png", "40", (32, 32), "bilinear"),  # as ImageNet's 256 and 224: odd rests on both sides
    ("photo.png", "41", (32, 32), "bilinear"),
    ("photo.png", "43", (32, 38), "bilinear"),
    ("photo.png", "61", (32, 32), "bilinear"),  # no resizing at all
    ("photo.png", "7", (7, 7), "bilinear"),
    ("photo.png", "95", (48, 40), "bilinear"),  # grows
    ("photo.png", "30x17", None, "bilinear"),
    ("photo.png", "61x29", None, "bilinear"),  # one pass
    ("photo.png", "23x83", None, "bilinear"),
    ("photo.png", "1x1", None, "bilinear"),
    ("tall.jpg", "31", (28, 28), "bilinear"),
    ("photo.png", "40", (32, 32), "bicubic"),
    ("photo.png", "80", (48, 48), "bicubic"),
    ("photo.png", "19x70", None, "bicubic"),
    ("photo.png", "40", (32, 32), "nearest"),
    ("photo.png", "70", (48, 48), "nearest"),
    ("1x1.jpg", "16", (12, 12), "bilinear"),
]


def resized(image, resize, crop, interpolation):
    """torchvision.transforms.Resize and CenterCrop on a Pillow image (its functional.py)."""
    width, height = image.size
    if "x" in resize:
        new_height, new_width = map(int, resize.split("x"))
    else:
        size = int(resize)
        short, long = sorted((width, height))
        new_long = int(size * long / short)
        new_width, new_height = (size, new_long) if width <= height else (new_long, size)
    if (new_width, new_height) != image.size:
        image = image.resize((new_width, new_height), FILTERS[interpolation])
    if crop is None:
        return image
    top = int(round((new_height - crop[0]) / 2.0))
    left = int(round((new_width - crop[1]) / 2.0))
    return image.crop((left, top, left + crop[1], top + crop[0]))


def write_corpus(folder):
    def put(name, data):
        path = os.path.join(folder, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as out:
            out.write(data)

    def array(values, version=(1, 0)):
        out = io.BytesIO()
        numpy.lib.format.write_array(out, values, version=version)
        return out.getvalue()

    skipped = ("photo.png", "tall.jpg", "plain.ppm")
    for name, data in files():
        if name not in skipped and (not name.startswith("exif") or name.startswith("exif6")):
            put("picture/" + name.replace(".", "_"), data)
    put("picture/plain_ppm", b"P3 2 1 # c\n255 1 2 3 4 5 6")
    put("picture/max_65535", b"P6 1 1 65535\n\x80\0\1\2\3\4")
    put("picture/cut_jpg", dict(files())["420.jpg"][:500])
    put("picture/empty", b"")
    x = numpy.arange(24, dtype=numpy.uint8)
    put("npy/nhwc", array(x.reshape(2, 2, 2, 3)))
    put("npy/nchw", array(x.reshape(2, 3, 2, 2)))
    put("npy/version2", array(x.reshape(1, 2, 4, 3), (2, 0)))
    put("npy/version3", array(x.reshape(1, 3, 2, 4), (3, 0)))
    put("npy/fortran", array(numpy.asfortranarray(x.reshape(2, 2, 2, 3))))
    put("npy/float", array(x.reshape(2, 2, 2, 3).astype("f4")))
    for kind in ("<i8", ">i2", "|u1", "<u4"):
        put("npy/labels_" + kind[1:], array(numpy.array([1, 2, 3], dtype=kind)))
    put("npy/negative", array(numpy.array([1, -2], dtype="<i4")))
    put("npy/records", array(numpy.zeros(2, dtype=[("a", "u1"), ("b", "u1")])))
    put("npy/scalar", array(numpy.array(3)))
    put("npy/empty", b"")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", nargs="?", default=os.path.join(os.path.dirname(__file__), "../tests/data/images"))
    folder = parser.parse_args().folder
    os.makedirs(folder, exist_ok=True)
    decoded = []
    for name, data in files():
        with open(os.path.join(folder, name), "wb") as out:
            out.write(data)
        image = ImageOps.exif_transpose(Image.open(io.BytesIO(data))).convert("RGB")
        expected = name + ".expected"
        image.save(os.path.join(folder, expected), "PPM")
        decoded.append(f"{name} {expected}\n")
    with open(os.path.join(folder, "decoded.txt"), "w", encoding="ascii") as out:
        out.writelines(decoded)
    fitted = []
    for i, (name, resize, crop, interpolation) in enumerate(FITS):
        source = ImageOps.exif_transpose(Image.open(os.path.join(folder, name))).convert("RGB")
        image = resized(source, resize, crop, interpolation)
        expected = f"fit{i}.expected"
        image.save(os.path.join(folder, expected), "PPM")
        recipe = f"size={image.height}x{image.width},resize={resize},interpolation={interpolation}"
        if crop:
            recipe += f",crop={crop[0]}x{crop[1]}"
        fitted.append(f"{name} {expected} {recipe}\n")
    with open(os.path.join(folder, "fitted.txt"), "w", encoding="ascii") as out:
        out.writelines(fitted)
    write_corpus(os.path.join(os.path.dirname(__file__), "../fuzz/corpus"))


if __name__ == "__main__":
    main()
