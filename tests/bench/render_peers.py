"""Screenshots a second of processor time: vitrine, Pillow and PangoCairo, in alternation. Called by tests/bench/render.

Pillow draws with one font object and one image a picture, as the usual data loaders do. PangoCairo draws one layout on an 8-bit surface, with the same size and no antialiasing of
subpixels; layout, surface and context are made once and reused, which is the kindest way to measure it.
"""

import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import cairocffi
import cffi
from PIL import Image, ImageDraw, ImageFont

PX = 10 * 100 / 72
CHARACTERS = 1100
vitrine, font, rounds = sys.argv[1], sys.argv[2], int(sys.argv[3])
TEXT = Path(sys.argv[4]).read_text() if len(sys.argv) > 4 else (
    "It was a bright morning, and the ship lay quiet in the harbour; nobody on board had slept for more than an hour. " * 12)
TEXT = " ".join(TEXT.split())[:CHARACTERS]

ffi = cffi.FFI()
ffi.cdef("""
    typedef ... PangoLayout; typedef ... PangoFontDescription;
    PangoLayout *pango_cairo_create_layout(void *cr);
    void pango_cairo_show_layout(void *cr, PangoLayout *layout);
    void pango_cairo_update_layout(void *cr, PangoLayout *layout);
    PangoFontDescription *pango_font_description_from_string(const char *);
    void pango_font_description_set_absolute_size(PangoFontDescription *, double);
    void pango_layout_set_font_description(PangoLayout *, const PangoFontDescription *);
    void pango_layout_set_text(PangoLayout *, const char *, int);
    void pango_layout_set_width(PangoLayout *, int);
    void pango_layout_get_pixel_size(PangoLayout *, int *, int *);
""")
pango = ffi.dlopen("libpango-1.0.so.0")
pangocairo = ffi.dlopen("libpangocairo-1.0.so.0")


def pango_engine(height, width, wrap):
    surface = cairocffi.ImageSurface(cairocffi.FORMAT_A8, width, height)
    context = cairocffi.Context(surface)
    pointer = ffi.cast("void *", int(cairocffi.ffi.cast("uintptr_t", context._pointer)))
    layout = pangocairo.pango_cairo_create_layout(pointer)
    description = pango.pango_font_description_from_string(ImageFont.truetype(font, 12).getname()[0].encode())
    pango.pango_font_description_set_absolute_size(description, PX * 1024)
    pango.pango_layout_set_font_description(layout, description)
    if wrap:
        pango.pango_layout_set_width(layout, width * 1024)
    data = TEXT.encode()

    def draw():
        context.set_operator(cairocffi.OPERATOR_CLEAR)
        context.paint()
        context.set_operator(cairocffi.OPERATOR_OVER)
        context.move_to(0, 0)
        # A text that is set anew is laid out anew, as every text of a data set is.
        pango.pango_layout_set_text(layout, b"", 0)
        pango.pango_layout_set_text(layout, data, len(data))
        pangocairo.pango_cairo_show_layout(pointer, layout)
        surface.flush()

    draw()
    assert any(bytes(surface.get_data()[:])), "Pango drew nothing"
    return draw


def pillow_engine(height, width, wrap):
    face = ImageFont.truetype(font, PX)
    lines = [TEXT] if not wrap else [TEXT[i:i + 70] for i in range(0, len(TEXT), 70)]

    def draw():
        image = Image.new("L", (width, height), 255)
        canvas = ImageDraw.Draw(image)
        for number, line in enumerate(lines):
            canvas.text((0, 16 * number - 2), line, fill=0, font=face)
        image.tobytes()

    return draw


def rate(draw, seconds=1.0):
    draw()
    count, began = 0, time.process_time()
    while time.process_time() - began < seconds:
        draw()
        count += 1
    return count / (time.process_time() - began)


with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
    file.write(TEXT)
    file.flush()
    ours = ["bench", "render", "--file", file.name, "--repeats", "3", "--json"]
    rates = {}
    for _ in range(rounds):
        for label, options in [("vitrine", ["--font", font]), ("vitrine, Noto Sans", [])]:
            out = subprocess.run([vitrine, *ours, *options], capture_output=True, check=True, text=True).stdout
            for case, found in json.loads(out)["cases"].items():
                rates.setdefault((case, label), []).append(found["per_cpu_sec"])
        for case, size in [("strip", (16, 8176, False)), ("page_256x512", (256, 512, True))]:
            rates.setdefault((case, "PangoCairo"), []).append(rate(pango_engine(*size)))
            rates.setdefault((case, "Pillow"), []).append(rate(pillow_engine(*size)))

print(f"{len(TEXT)} characters, {Path(font).name}; screenshots a second of processor time, median of {rounds} rounds (lowest to highest)")
# PangoCairo shapes: the closest comparison is with letters shaped here too.
rates["strip_shaped", "PangoCairo"] = rates["strip", "PangoCairo"]
for (case, label), found in sorted(rates.items()):
    line = f"{case:<20} {label:<20} {statistics.median(found):>8.0f} ({min(found):.0f} to {max(found):.0f})"
    if label in ("PangoCairo", "Pillow"):
        ratios = [a / b for a, b in zip(rates[case, "vitrine"], found)]
        line += f"   vitrine / this {statistics.median(ratios):.1f} ({min(ratios):.1f} to {max(ratios):.1f})"
    print(line)
