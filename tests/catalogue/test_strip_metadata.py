"""Pictures without what a camera wrote into them, judged by Pillow: nothing of it is left, and pixels are the same."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import ExifTags, Image, ImageCms, ImageOps, PngImagePlugin

from tomarium.catalogue.log_files import keep_files, picture_type, place_of_file
from tomarium.catalogue.strip_metadata import Unreadable, without_metadata

SECRETS = (
    b"Ada Secret",
    b"Camera Secret",
    b"47 deg Secret",
    b"xmp secret",
    b"comment secret",
    b"after secret",
)
SIDEWAYS = 6


def exif(turned: int) -> Image.Exif:
    told = Image.Exif()
    told[ExifTags.Base.Orientation] = turned
    told[ExifTags.Base.Artist] = "Ada Secret"
    told[ExifTags.Base.Model] = "Camera Secret"
    place = told.get_ifd(ExifTags.IFD.GPSInfo)
    place[ExifTags.GPS.GPSLatitude] = (47.0, 11.0, 2.0)
    place[ExifTags.GPS.GPSAreaInformation] = b"47 deg Secret"
    return told


def picture(kind: str, turned: int) -> bytes:
    """Make a picture that holds all of the secrets that its kind can hold."""
    image, held = Image.radial_gradient("L").resize((60, 40)).convert("RGB"), BytesIO()
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    xmp = b"<x:xmpmeta>xmp secret</x:xmpmeta>"
    if kind == "JPEG":
        image.save(held, kind, exif=exif(turned), icc_profile=profile, comment=b"comment secret", xmp=xmp,
                   progressive=True, quality=90)  # fmt: skip
    elif kind == "PNG":
        texts = PngImagePlugin.PngInfo()
        texts.add_text("Author", "Ada Secret")
        texts.add_itxt("XML:com.adobe.xmp", xmp.decode())
        image.save(held, kind, exif=exif(turned), icc_profile=profile, pnginfo=texts, dpi=(300, 300))
    elif kind == "WEBP":
        image.save(held, kind, exif=exif(turned), icc_profile=profile, xmp=xmp, lossless=True)
    else:
        frames = [ImageOps.invert(image).convert("P")]
        image.convert("P").save(held, kind, save_all=True, append_images=frames, loop=0, duration=90,
                                comment=b"comment secret")  # fmt: skip
    return held.getvalue() + b"after secret"


@pytest.mark.parametrize("turned", [1, SIDEWAYS])
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF"])
def test_nothing_is_left_but_the_picture(kind: str, turned: int) -> None:
    whole = picture(kind, turned)
    bare = without_metadata(whole, picture_type(whole))
    assert any(secret in whole for secret in SECRETS)
    assert not [secret for secret in SECRETS if secret in bare]
    with Image.open(BytesIO(whole)) as before, Image.open(BytesIO(bare)) as after:
        told = dict(after.getexif())
        assert told == ({ExifTags.Base.Orientation: turned} if turned != 1 and kind != "GIF" else {})
        assert not after.getexif().get_ifd(ExifTags.IFD.GPSInfo)
        shown, same = ImageOps.exif_transpose(before), ImageOps.exif_transpose(after)
        assert shown.size == same.size == ((40, 60) if turned == SIDEWAYS and kind != "GIF" else (60, 40))
        assert shown.tobytes() == same.tobytes()
        assert before.info.get("icc_profile") == after.info.get("icc_profile")
        assert kind != "PNG" or before.info["dpi"] == after.info["dpi"]
        assert getattr(before, "n_frames", 1) == getattr(after, "n_frames", 1)
    assert without_metadata(bare, picture_type(bare)) == bare


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF"])
def test_what_cannot_be_read_is_kept_and_is_no_picture(kind: str, tmp_path: Path) -> None:
    cut = picture(kind, 1)[:40]
    (kept,) = keep_files(tmp_path, [("cut", cut)])
    assert (kept.type, kept.bytes) == ("", 40)
    assert place_of_file(tmp_path, kept.digest).read_bytes() == cut
    with pytest.raises(Unreadable):
        without_metadata(cut, picture_type(cut))


@given(
    st.sampled_from([picture(kind, SIDEWAYS) for kind in ("JPEG", "PNG", "WEBP", "GIF")]),
    st.lists(st.tuples(st.integers(12, 1 << 16), st.integers(0, 255)), max_size=4),
)
def test_a_damaged_picture_is_read_or_refused(content: bytes, changes: list[tuple[int, int]]) -> None:
    damaged = bytearray(content)
    for place, value in changes:
        damaged[12 + place % (len(damaged) - 12)] = value
    try:
        assert len(without_metadata(bytes(damaged), picture_type(content))) <= len(content) + 64
    except Unreadable:
        return
