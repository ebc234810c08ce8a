#!/usr/bin/env python3
"""Makes the pictures in jpeg/: kinds of JPEG that the encoder of the tests cannot write. Needs numpy and Pillow."""

from pathlib import Path

import numpy
from PIL import Image

HERE = Path(__file__).parent / "jpeg"
random = numpy.random.default_rng(0)


def picture(channels):
    """Waves with some noise, so that every scan of a progressive image has something to say; 43x37 pixels."""
    y, x = numpy.mgrid[0:37, 0:43]
    waves = [127 + 90 * numpy.sin(x / (3 + c)) * numpy.cos(y / (5 - c)) for c in range(channels)]
    values = numpy.stack(waves, -1) + random.normal(0, 12, (37, 43, channels))
    return numpy.clip(values, 0, 255).astype(numpy.uint8)


HERE.mkdir(exist_ok=True)
rgb = Image.fromarray(picture(3))
grey = Image.fromarray(picture(1)[..., 0])
cmyk = Image.fromarray(picture(4), mode="CMYK")
rgb.save(HERE / "baseline-420.jpg", quality=70, subsampling="4:2:0")
rgb.save(HERE / "baseline-422-restart.jpg", quality=70, subsampling="4:2:2", restart_marker_blocks=2)
rgb.save(HERE / "progressive-420.jpg", quality=70, subsampling="4:2:0", progressive=True)
rgb.save(HERE / "progressive-444-restart.jpg", quality=70, subsampling="4:4:4", progressive=True, restart_marker_rows=1)
grey.save(HERE / "progressive-grey.jpg", quality=90, progressive=True)
cmyk.save(HERE / "baseline-cmyk.jpg", quality=70, optimize=True)
cmyk.save(HERE / "progressive-cmyk.jpg", quality=70, progressive=True)
