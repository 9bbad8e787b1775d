"""Makers of files that mean harm, format by format; each returns the path that is to be opened."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import tifffile

from formats.ole2_writer import ole2
from formats.txrm_example import zeiss_streams

SHAPE = (8, 5, 6)
_ZEROS = bytes(1 << 24)
ANGLES = np.linspace(0, 175, SHAPE[0])
CANARY = 60001  # the value of pixels that lie outside


def deflated_zeros(pieces: int, before: bytes = b"") -> bytes:
    """A zlib stream of `pieces` times 16 MiB of zeros, of which two are packed; its checksum is wrong."""
    squeezed = zlib.compressobj(9)
    first = squeezed.compress(before + _ZEROS) + squeezed.flush(zlib.Z_FULL_FLUSH)
    other = squeezed.compress(_ZEROS) + squeezed.flush(zlib.Z_FULL_FLUSH)
    return first + other * (pieces - 1) + squeezed.flush()


def exchange(path: Path, fill: Callable[[h5py.File], None]) -> Path:
    """A Data Exchange scan, and what `fill` adds to it."""
    with h5py.File(path, "w", libver="latest") as file:
        file["implements"] = "exchange"
        file["exchange/data"] = np.ones(SHAPE, np.uint16)
        file["exchange/theta"] = ANGLES
        fill(file)
    return path


def enormous_dimensions(home: Path) -> Path:
    def fill(file: h5py.File) -> None:
        del file["exchange/data"]
        plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        plist.set_chunk((1, 1, 1))
        space = h5py.h5s.create_simple((2**62, 1, 1), (h5py.h5s.UNLIMITED,) * 3)
        h5py.h5d.create(file["exchange"].id, b"data", h5py.h5t.STD_U16LE, space, plist)

    return exchange(home / "scan.h5", fill)


def soft_link_ring(home: Path) -> Path:
    def fill(file: h5py.File) -> None:
        del file["exchange/data"]
        file["exchange/data"] = h5py.SoftLink("/exchange/other")
        file["exchange/other"] = h5py.SoftLink("/exchange/data")

    return exchange(home / "scan.h5", fill)


def many_attributes(home: Path) -> Path:
    def fill(file: h5py.File) -> None:
        for number in range(20_000):
            file["exchange"].attrs[f"attribute {number}"] = number

    return exchange(home / "scan.h5", fill)


def large_attributes(home: Path) -> Path:
    """Attributes and a name of megabytes."""

    def fill(file: h5py.File) -> None:
        for number in range(8):
            file["exchange"].attrs.create(f"text {number}", np.zeros((7000,), np.uint64))
        file["measurement/sample/name"] = "x" * (8 << 20)

    return exchange(home / "scan.h5", fill)


def empty_strings_without_end(home: Path) -> Path:
    """A dataset of text that claims 2^32 texts and stores none."""

    def fill(file: h5py.File) -> None:
        file.create_dataset("measurement/sample/name", (1 << 32,), h5py.string_dtype(), chunks=(1 << 16,))
        file.create_dataset("process/acquisition/notes", (1 << 28,), "S256", chunks=(1 << 16,))

    return exchange(home / "scan.h5", fill)


def long_comment(home: Path) -> Path:
    def fill(file: h5py.File) -> None:
        for name in (b"/exchange", b"/exchange/theta"):
            h5py.h5o.set_comment(file.id, b"x" * 60_000, obj_name=name)
        file["exchange"].attrs["title"] = "y" * 60_000

    return exchange(home / "scan.h5", fill)


def ten_thousand_groups_deep(home: Path) -> Path:
    def fill(file: h5py.File) -> None:
        group = file["exchange"].id
        for _ in range(10_000):
            group = h5py.h5g.create(group, b"g")

    return exchange(home / "scan.h5", fill)


def angles_without_end(home: Path) -> Path:
    def fill(file: h5py.File) -> None:
        del file["exchange/theta"]
        file.create_dataset("exchange/theta", (1 << 34,), np.float64, chunks=(1 << 16,))

    return exchange(home / "scan.h5", fill)


def angles_that_are_a_bomb(home: Path) -> Path:
    """Under the size at which a block is weighed, but many of them."""

    def fill(file: h5py.File) -> None:
        del file["exchange/theta"]
        angles = file.create_dataset(
            "exchange/theta", (1 << 27,), np.float64, chunks=(1 << 22,), compression=9
        )
        block = zlib.compress(bytes(8 << 22), 9)
        for number in range(1 << 5):
            angles.id.write_direct_chunk((number << 22,), block)

    return exchange(home / "scan.h5", fill)


# TIFF


def ifd(entries: list[tuple[int, int, int, bytes]], following: int) -> bytes:
    """One directory of a classic TIFF: tag, type, count and four bytes of each entry."""
    packed = b"".join(struct.pack("<HHI", *one[:3]) + one[3].ljust(4, b"\0") for one in sorted(entries))
    return struct.pack("<H", len(entries)) + packed + struct.pack("<I", following)


def page(
    width: int = 16, height: int = 16, offset: int = 0, following: int = 0, extra: tuple = (), **changed: int
) -> bytes:
    """A directory of a grey page of 16 bits."""
    number = {256: width, 257: height, 258: 16, 259: 1, 262: 1, 273: offset, 277: 1, 278: height,
              279: width * height * 2 & 0xFFFFFFFF}  # fmt: skip
    number |= {int(key[1:]): value for key, value in changed.items()}
    entries = [(tag, 4, 1, struct.pack("<I", value)) for tag, value in number.items() if value >= 0]
    return ifd([*entries, *extra], following)


def tiff(path: Path, *directories: bytes, tail: bytes = b"") -> Path:
    """Directories one after the other, each of which says itself where the next lies."""
    path.write_bytes(b"II*\0" + struct.pack("<I", 8) + b"".join(directories) + tail)
    return path


SIZE = len(page())


def tiff_ring_of_two(home: Path) -> Path:
    return tiff(home / "s.tif", page(following=8 + SIZE), page(following=8), tail=bytes(512))


def tiff_ring_of_one(home: Path) -> Path:
    return tiff(home / "s.tif", page(following=8), tail=bytes(512))


def tiff_ring_later(home: Path) -> Path:
    places = [8 + SIZE * number for number in range(1, 200)] + [8 + SIZE * 100]
    return tiff(home / "s.tif", *(page(following=place) for place in places), tail=bytes(512))


def tiff_million_pages(home: Path) -> Path:
    """A million directories of one entry each."""
    count = 1_000_000
    one = ifd([(256, 4, 1, struct.pack("<I", 1))], 0)
    places = np.arange(1, count + 1, dtype=np.uint32) * len(one) + 8
    places[-1] = 0
    table = np.frombuffer(one * count, np.uint8).reshape(count, len(one)).copy()
    table[:, -4:] = places.view(np.uint8).reshape(count, 4)
    return tiff(home / "s.tif", table.tobytes())


def described(text: str) -> tuple[tuple[int, int, int, bytes], bytes]:
    """An ImageDescription that lies after two directories, and its bytes."""
    content = text.encode() + b"\0"
    return (270, 2, len(content), struct.pack("<I", 8 + SIZE + 12)), content


def tiff_imagej_thousand_million(home: Path) -> Path:
    entry, text = described("ImageJ=1.53\nimages=1000000000\nslices=1000000000\nspacing=1\nunit=um\n")
    return tiff(home / "s.tif", page(extra=(entry,), offset=8 + SIZE + 12), tail=text.ljust(1024, b"\0"))


def tiff_shaped_thousand_million(home: Path) -> Path:
    entry, text = described(json.dumps({"shape": [10**9, 16, 16]}))
    return tiff(home / "s.tif", page(extra=(entry,), offset=8 + SIZE + 12), tail=text.ljust(1024, b"\0"))


OME = (
    '<?xml version="1.0"?><OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06">{before}<Image ID="Image:0">'
    '<Pixels ID="Pixels:0" DimensionOrder="XYZCT" Type="uint16" SizeX="16" SizeY="16" SizeZ="{z}" SizeC="1" '
    'SizeT="{t}" PhysicalSizeX="1" PhysicalSizeY="1" PhysicalSizeZ="1">{data}</Pixels></Image></OME>'
)


def tiff_ome_thousand_million(home: Path) -> Path:
    entry, text = described(
        OME.format(before="", z=10**9, t=1, data='<TiffData IFD="0" PlaneCount="1000000000"/>')
    )
    return tiff(home / "s.ome.tif", page(extra=(entry,), offset=8), tail=text.ljust(1024, b"\0"))


def tiff_ome_entities(home: Path) -> Path:
    entities = '<!ENTITY a "aaaaaaaaaa">' + "".join(
        f'<!ENTITY {chr(98 + n)} "{f"&{chr(97 + n)};" * 10}">' for n in range(9)
    )
    text = OME.format(before="<X>&j;</X>", z=2, t=1, data="").replace(
        "<OME", f"<!DOCTYPE OME [{entities}]><OME", 1
    )
    entry, content = described(text)
    return tiff(home / "s.ome.tif", page(extra=(entry,), offset=8), tail=content.ljust(1024, b"\0"))


def tiff_ome_other_file(home: Path) -> Path:
    """Its planes lie, it says, in a file of another user."""
    (home.parent / "other").mkdir(exist_ok=True)
    secret = home.parent / "other" / "secret.ome.tif"
    tifffile.imwrite(secret, np.full((2, 16, 16), CANARY, np.uint16), ome=True, metadata={"axes": "ZYX"})
    data = "".join(
        f'<TiffData IFD="{n}" FirstZ="{n}" PlaneCount="1"><UUID FileName="../other/secret.ome.tif">urn:uuid:1</UUID>'
        "</TiffData>"
        for n in range(2)
    )
    entry, text = described(OME.format(before="", z=2, t=1, data=data))
    return tiff(home / "s.ome.tif", page(extra=(entry,), offset=8), tail=text.ljust(2048, b"\0"))


def tiff_strips_beyond_the_end(home: Path) -> Path:
    return tiff(home / "s.tif", page(offset=0xFFFFFF00, following=8 + SIZE), page(offset=0xFFFFFF00))


def tiff_pages_of_gigapixels(home: Path) -> Path:
    wide = 0xFFFFFFFF
    return tiff(home / "s.tif", page(wide, wide, following=8 + SIZE), page(wide, wide))


def tiff_counts_without_end(home: Path) -> Path:
    """A table of strips of 4 billion entries, of which none is there."""
    pages = []
    for following in (8 + SIZE, 0):
        one = bytearray(page(following=following))
        for tag in (273, 279):
            at = one.find(struct.pack("<HH", tag, 4))
            struct.pack_into("<II", one, at + 4, 0xFFFFFFFF, 8)
        pages.append(bytes(one))
    return tiff(home / "s.tif", *pages)


def tiff_tiles_of_gigapixels(home: Path) -> Path:
    def one(following: int) -> bytes:
        tiles = {"t322": 1 << 30, "t323": 1 << 30, "t324": 8, "t325": 64}
        return page(64, 64, following=following, **tiles, t273=-1, t278=-1, t279=-1, t259=8)

    return tiff(home / "s.tif", one(8 + len(one(0))), one(0), tail=zlib.compress(bytes(1 << 16)))


def tiff_deflate_bomb(home: Path) -> Path:
    """Pages of 64 x 64 pixels whose strip unpacks to 4 GB."""
    bomb = deflated_zeros(256)
    where = {"t259": 8, "t279": len(bomb)}
    return tiff(
        home / "s.tif",
        page(64, 64, 8 + 2 * SIZE, 8 + SIZE, **where),
        page(64, 64, 8 + 2 * SIZE, **where),
        tail=bomb,
    )


def tiff_subifd_ring(home: Path) -> Path:
    ours = (330, 4, 1, struct.pack("<I", 8))
    return tiff(home / "s.tif", page(extra=(ours,), following=8 + SIZE + 12), page(), tail=bytes(512))


def bigtiff_of_2_63(home: Path) -> Path:
    """Numbers that are negative once they are signed."""
    tags = {
        256: 2**63,
        257: 2**63,
        258: 16,
        259: 1,
        262: 1,
        273: 2**63 - 1,
        277: 1,
        278: 2**63,
        279: 2**64 - 1,
    }
    packed = b"".join(struct.pack("<HHQQ", tag, 16, 1, value) for tag, value in tags.items())
    directory = struct.pack("<Q", len(tags)) + packed
    following = 16 + len(directory) + 8
    (home / "s.tif").write_bytes(
        b"II+\0" + struct.pack("<HHQ", 8, 0, 16) + directory + struct.pack("<Q", following)
        + directory + struct.pack("<Q", 2**63)
    )  # fmt: skip
    return home / "s.tif"


def tiff_folder_of_bombs(home: Path) -> Path:
    """A series; only its first header is parsed before the pixels are asked for."""
    bomb = tiff_deflate_bomb(home)
    folder = home / "series"
    folder.mkdir()
    for number in range(4):
        (folder / f"p_{number:04d}.tif").hardlink_to(bomb)
    (folder / "angles.txt").write_text("\n".join(map(str, range(8))))
    return folder


# Zarr


def zarr_volume(home: Path, **changed: object) -> Path:
    """A group of OME-Zarr 0.5 of one level, without zarr's help, and with what is changed in its array."""
    path = home / "v.zarr"
    axes = [{"name": name, "type": "space", "unit": "micrometer"} for name in "zyx"]
    scale = [{"type": "scale", "scale": [1.0, 1.0, 1.0]}]
    multiscales = [{"axes": axes, "datasets": [{"path": "0", "coordinateTransformations": scale}]}]
    group = {
        "zarr_format": 3, "node_type": "group",
        "attributes": {"ome": {"version": "0.5", "multiscales": multiscales}},
    }  # fmt: skip
    array = {
        "zarr_format": 3, "node_type": "array", "shape": [8, 8, 8], "data_type": "uint16",
        "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": [8, 8, 8]}},
        "chunk_key_encoding": {"name": "default", "configuration": {"separator": "/"}},
        "fill_value": 0, "codecs": [{"name": "bytes", "configuration": {"endian": "little"}}], "attributes": {},
    } | changed  # fmt: skip
    (path / "0").mkdir(parents=True)
    (path / "zarr.json").write_text(json.dumps(group))
    (path / "0" / "zarr.json").write_text(json.dumps(array))
    return path


def chunks_of(*shape: int) -> dict[str, object]:
    return {"name": "regular", "configuration": {"chunk_shape": list(shape)}}


def put_chunk(volume: Path, content: bytes) -> Path:
    place = volume / "0" / "c" / "0" / "0" / "0"
    place.parent.mkdir(parents=True)
    place.write_bytes(content)
    return volume


def zarr_chunks_without_end(home: Path) -> Path:
    return zarr_volume(home, shape=[10_000] * 3, chunk_grid=chunks_of(1, 1, 1))


def zarr_link_to_a_chunk(home: Path) -> Path:
    secret = home.parent / "other-chunk"
    secret.write_bytes(np.full((8, 8, 8), CANARY, np.uint16).tobytes())
    volume = zarr_volume(home)
    place = volume / "0" / "c" / "0" / "0" / "0"
    place.parent.mkdir(parents=True)
    place.symlink_to(secret)
    return volume


def zarr_link_to_an_array(home: Path) -> Path:
    away = home.parent / "away"
    away.mkdir()
    other = put_chunk(zarr_volume(away), np.full((8, 8, 8), CANARY, np.uint16).tobytes())
    volume = zarr_volume(home)
    (volume / "0" / "zarr.json").unlink()
    (volume / "0").rmdir()
    (volume / "0").symlink_to(other / "0")
    return volume


def zarr_names(name: str) -> Callable[[Path], Path]:
    def make(home: Path) -> Path:
        volume = zarr_volume(home)
        (volume / "zarr.json").write_text(
            (volume / "zarr.json").read_text().replace('"path": "0"', f'"path": "{name}"')
        )
        return volume

    return make


def zarr_storage_transformers(home: Path) -> Path:
    return zarr_volume(home, storage_transformers=[{"name": "remote", "configuration": {"url": "http://x"}}])


def zarr_gzip_bomb(home: Path) -> Path:
    codecs = [
        {"name": "bytes", "configuration": {"endian": "little"}},
        {"name": "gzip", "configuration": {"level": 9}},
    ]
    volume = zarr_volume(
        home, shape=[1 << 10] * 3, chunk_grid=chunks_of(1 << 10, 1 << 10, 1 << 10), codecs=codecs
    )
    return put_chunk(volume, gzip.compress(_ZEROS) * 128)


def zarr_small_chunk_large_bomb(home: Path) -> Path:
    """A chunk of 1 kB whose bytes unpack to 2 GB."""
    codecs = [
        {"name": "bytes", "configuration": {"endian": "little"}},
        {"name": "gzip", "configuration": {"level": 9}},
    ]
    return put_chunk(zarr_volume(home, codecs=codecs), gzip.compress(_ZEROS) * 128)


def zarr_deep_metadata(home: Path) -> Path:
    volume = zarr_volume(home)
    (volume / "0" / "zarr.json").write_text("[" * 200_000 + "]" * 200_000)
    return volume


def zarr_deep_group(home: Path) -> Path:
    volume = zarr_volume(home)
    (volume / "zarr.json").write_text('{"a":' * 100_000 + "1" + "}" * 100_000)
    return volume


def zarr_many_levels(home: Path) -> Path:
    volume = zarr_volume(home)
    told = json.loads((volume / "zarr.json").read_text())
    multiscale = told["attributes"]["ome"]["multiscales"][0]
    multiscale["datasets"] *= 100_000
    (volume / "zarr.json").write_text(json.dumps(told))
    return volume


# JPEG 2000


def codestream(width: int, height: int, tile: int) -> bytes:
    return b"\xff\x4f\xff\x51" + struct.pack(
        ">HH8IH3B", 41, 0, width, height, 0, 0, tile, tile, 0, 0, 1, 15, 1, 1
    )


def jpeg2000_huge(home: Path) -> Path:
    (home / "s.j2k").write_bytes(codestream(0xFFFFFFFF, 0xFFFFFFFF, 0xFFFFFFFF) + bytes(64))
    return home / "s.j2k"


def jpeg2000_bomb(home: Path) -> Path:
    """A true page of 16 x 16 that says it has 16384 x 16384."""
    from PIL import Image

    page = io.BytesIO()
    Image.fromarray(np.zeros((16, 16), np.uint16)).save(page, "JPEG2000", no_jp2=True)
    content = bytearray(page.getvalue())
    struct.pack_into(">2I", content, 8, 1 << 14, 1 << 14)
    struct.pack_into(">2I", content, 24, 1 << 14, 1 << 14)
    (home / "s.j2k").write_bytes(content)
    return home / "s.j2k"


def jpeg2000_many_tiles(home: Path) -> Path:
    (home / "s.j2k").write_bytes(codestream(1 << 14, 1 << 14, 64) + bytes(64))
    return home / "s.j2k"


# EDF


def edf_header(length: int = 512, **keys: object) -> bytes:
    known = {"HeaderID": "EH:000001:000000:000000", "ByteOrder": "LowByteFirst", "DataType": "UnsignedShort",
             "Dim_1": 6, "Dim_2": 5, "Size": 60} | keys  # fmt: skip
    text = "{\n" + "".join(f"{key} = {value} ;\n" for key, value in known.items())
    return text.encode().ljust(length - 2) + b"}\n"


def edf_header_without_end(home: Path) -> Path:
    with (home / "s.edf").open("wb") as stream:
        stream.write(b"{\nHeaderID = EH:000001:000000:000000 ;\n")
        for _ in range(64):
            stream.write(b"Key = value ;\n" * 100_000)
    return home / "s.edf"


def edf_size_without_end(home: Path) -> Path:
    (home / "s.edf").write_bytes(
        edf_header(Dim_1=999_999_999_999, Dim_2=999_999_999_999, Size=999_999_999_999)
    )
    return home / "s.edf"


def edf_frames_without_pixels(home: Path) -> Path:
    """General blocks one after the other."""
    block = b"{\nEDF_DataBlockID = 0.Image.General ;\n".ljust(510) + b"}\n"
    (home / "s.edf").write_bytes(block * 200_000)
    return home / "s.edf"


def tiff_gzip_bomb(home: Path) -> Path:
    (home / "s.tif.gz").write_bytes(
        gzip.compress(b"II*\0" + struct.pack("<I", 8)) + gzip.compress(_ZEROS) * 256
    )
    return home / "s.tif.gz"


def tiff_folder_of_gzip_bombs(home: Path) -> Path:
    bomb = tiff_gzip_bomb(home).read_bytes()
    (home / "s.tif.gz").unlink()
    (home / "series").mkdir()
    for number in range(50):
        (home / "series" / f"proj_{number:04d}.tif.gz").write_bytes(bomb)
    return home / "series"


def mrc_bzip2_bomb(home: Path) -> Path:
    head = bytearray(1024)
    struct.pack_into("<4i", head, 0, 1 << 14, 1 << 14, 1 << 10, 0)
    head[208:214] = b"MAP \x44\x44"
    (home / "s.mrc.bz2").write_bytes(bz2.compress(bytes(head)) + bz2.compress(_ZEROS) * 256)
    return home / "s.mrc.bz2"


def mrc_gzip_in_gzip(home: Path) -> Path:
    (home / "s.mrc.gz").write_bytes(gzip.compress(gzip.compress(bytes(2048))))
    return home / "s.mrc.gz"


def edf_gzip_bomb(home: Path) -> Path:
    head = edf_header(Dim_1=1 << 16, Dim_2=1 << 15, Size=1 << 32)
    (home / "s.edf.gz").write_bytes(gzip.compress(head) + gzip.compress(_ZEROS) * 256)
    return home / "s.edf.gz"


def edf_bzip2_bomb(home: Path) -> Path:
    zeros = bz2.compress(_ZEROS) * 256
    (home / "s.edf.bz2").write_bytes(
        bz2.compress(edf_header(Dim_1=1 << 16, Dim_2=1 << 15, Size=1 << 32)) + zeros
    )
    return home / "s.edf.bz2"


def edf_folder_that_counts(home: Path) -> Path:
    """A .info that tells of 10^12 projections, and numbers as far apart."""
    folder = home / "scan"
    folder.mkdir()
    for number in (0, 1, 2, 999_999_999_999):
        (folder / f"scan{number:04d}.edf").write_bytes(edf_header() + bytes(60))
    (folder / "scan.info").write_text("TOMO_N = 999999999999\nScanRange = 180\nREF_N = 10\n")
    return folder


# PyHST2, Zeiss, MRC, MATLAB, raw volumes


def par_scan(home: Path, text: str) -> Path:
    for number in range(4):
        (home / f"p{number:04d}.edf").write_bytes(edf_header() + bytes(60))
    place = home / "scan.par"
    place.write_text(
        f"FILE_PREFIX = {home}/p\nNUM_FIRST_IMAGE = 0\nNUM_LAST_IMAGE = 3\nNUMBER_LENGTH_VARIES = NO\n"
        f"LENGTH_OF_NUMERICAL_PART = 4\nFILE_POSTFIX = .edf\nANGLE_BETWEEN_PROJECTIONS = 45\n{text}"
    )
    return place


def par_that_runs(home: Path) -> Path:
    """It opens as a scan, and what it would run was never run."""
    ran = home / "ran"
    return par_scan(
        home,
        f"X = __import__('pathlib').Path('{ran}').touch()\nimport os; os.system('touch {ran}')\n"
        f"exec(open('{ran}','w'))\nY = [c for c in ().__class__.__base__.__subclasses__()]\n"
        f"execfile('{ran}.py')\nPIXEL = eval(\"open('{ran}','w')\")\n",
    )


def par_arrays_without_end(home: Path) -> Path:
    return par_scan(home, "".join(f"a{n} = numpy.ones(65536,'f')\n" for n in range(5000)))


def par_indices_without_end(home: Path) -> Path:
    return par_scan(home, "ar = numpy.ones(65536,'f')\n" + "ar[0] = 1.0\n" * 20_000)


def par_dictionary_without_end(home: Path) -> Path:
    return par_scan(home, "D = {}\n" + "".join(f"D['{n}'] = {n}\n" for n in range(100_000)))


def par_brackets_without_end(home: Path) -> Path:
    return par_scan(home, "A = [\n" * 100_000)


def par_deep_value(home: Path) -> Path:
    return par_scan(home, "A = " + "[" * 30_000 + "]" * 30_000 + "\nB = " + "-" * 60_000 + "1\n")


def par_images_without_end(home: Path) -> Path:
    return par_scan(home, "NUM_LAST_IMAGE = 999999999999\n")


def par_format_of_a_number(home: Path) -> Path:
    return par_scan(home, "LENGTH_OF_NUMERICAL_PART = 999999999\n")


def txrm_bytes() -> bytearray:
    frames = np.random.default_rng(5).integers(0, 60000, (4, 32, 64), np.uint16)
    return bytearray(ole2(zeiss_streams(frames, np.arange(4.0))))


def kept(home: Path, content: bytes, name: str = "s.txrm") -> Path:
    (home / name).write_bytes(content)
    return home / name


def txrm_sector_ring(home: Path) -> Path:
    """Every sector of the table of sectors is followed by itself."""
    content = txrm_bytes()
    for sector in range((len(content) - 512) // 512):
        struct.pack_into("<I", content, 512 + 4 * sector, sector)
    return kept(home, content)


def txrm_sectors_of_2_65535(home: Path) -> Path:
    content = txrm_bytes()
    struct.pack_into("<HH", content, 30, 0xFFFF, 0xFFFF)
    return kept(home, content)


def txrm_tables_without_end(home: Path) -> Path:
    content = txrm_bytes()
    struct.pack_into("<I", content, 44, 0xFFFFFFFF)
    struct.pack_into("<II", content, 68, 0, 0xFFFFFFFF)
    return kept(home, content)


def txrm_directory_ring(home: Path) -> Path:
    """Every entry is its own sibling and child."""
    content = txrm_bytes()
    first = struct.unpack_from("<I", content, 48)[0]
    for entry in range(64):
        at = 512 + first * 512 + 128 * entry
        if at + 128 <= len(content):
            struct.pack_into("<3I", content, at + 68, entry, entry, 1)
    return kept(home, content)


def txrm_streams_of_2_63(home: Path) -> Path:
    content = txrm_bytes()
    first = struct.unpack_from("<I", content, 48)[0]
    for entry in range(1, 64):
        at = 512 + first * 512 + 128 * entry
        if at + 128 <= len(content) and content[at + 66] == 2:
            struct.pack_into("<Q", content, at + 120, 0x7FFFFFFF)
    return kept(home, content)


def mrc_head(
    size: tuple[int, int, int], mode: int = 1, extended: int = 0, text: bytes = b"\0\0\0\0"
) -> bytes:
    head = bytearray(1024)
    struct.pack_into("<4i", head, 0, *size, mode)
    struct.pack_into("<3i3f", head, 28, *size, 1.0, 1.0, 1.0)
    struct.pack_into("<3i", head, 64, 1, 2, 3)
    struct.pack_into("<2i", head, 88, 1, extended)
    head[104:108] = text
    head[208:212] = b"MAP "
    head[212:216] = b"\x44\x44\0\0"
    return bytes(head)


def mrc_size_that_overflows(home: Path) -> Path:
    return kept(home, mrc_head((2**31 - 1,) * 3) + bytes(64), "s.mrc")


def mrc_size_that_overflows_to_nothing(home: Path) -> Path:
    """2^22 · 2^22 · 2^20 pixels of two bytes are 0 in 64 bits."""
    return kept(home, mrc_head((1 << 22, 1 << 22, 1 << 20)) + bytes(64), "s.mrc")


def mrc_extended_header_without_end(home: Path) -> Path:
    return kept(home, mrc_head((4, 4, 4), extended=2**31 - 1, text=b"FEI1") + bytes(128), "s.mrc")


def mrc_extended_header_before_the_file(home: Path) -> Path:
    return kept(home, mrc_head((4, 4, 4), extended=-1000, text=b"SERI") + bytes(128), "s.mrc")


def mat_element(kind: int, content: bytes, length: int | None = None) -> bytes:
    size = len(content) if length is None else length
    return struct.pack("<II", kind, size & 0xFFFFFFFF) + content.ljust(-(-len(content) // 8) * 8, b"\0")


def mat_file(body: bytes) -> bytes:
    return b"MATLAB 5.0 MAT-file".ljust(124) + struct.pack("<H", 0x0100) + b"IM" + body


def mat_bomb(home: Path) -> Path:
    return kept(
        home, mat_file(mat_element(15, deflated_zeros(256, struct.pack("<II", 14, 0xFFFFFFF0)))), "s.mat"
    )


def mat_size_that_overflows(home: Path) -> Path:
    inner = mat_element(6, struct.pack("<II", 6, 0))
    inner += mat_element(5, struct.pack("<3i", 2**31 - 1, 2**31 - 1, 2**31 - 1))
    inner += mat_element(1, b"sino") + mat_element(9, bytes(64))
    return kept(home, mat_file(mat_element(14, inner)), "s.mat")


def mat_cells_without_end(home: Path) -> Path:
    """Cells in cells, ten thousand deep."""
    inner = b""
    for _ in range(10_000):
        head = (
            mat_element(6, struct.pack("<II", 1, 0))
            + mat_element(5, struct.pack("<2i", 1, 1))
            + mat_element(1, b"")
        )
        inner = mat_element(14, head, len(head) + len(inner)) + inner
    return kept(home, mat_file(inner), "s.mat")


def volume_info(home: Path, size: str) -> Path:
    (home / "v.vol").write_bytes(bytes(1024))
    (home / "v.vol.info").write_text(f"NUM_X = {size}\nNUM_Y = {size}\nNUM_Z = {size}\nvoxelSize = 1\n")
    return home / "v.vol"


def volume_info_without_end(home: Path) -> Path:
    return volume_info(home, "4194304")


def volume_info_of_long_numbers(home: Path) -> Path:
    return volume_info(home, "9" * 300_000)


def volume_xml_entities(home: Path) -> Path:
    (home / "v.vol").write_bytes(bytes(1024))
    entities = '<!ENTITY a "aaaaaaaaaa">' + "".join(
        f'<!ENTITY {chr(98 + n)} "{f"&{chr(97 + n)};" * 10}">' for n in range(9)
    )
    (home / "v.vol.xml").write_text(
        f"<!DOCTYPE x [{entities}]><tomodb2><reconstruction><listSubVolume><subVolume><SIZEX>&j;</SIZEX></subVolume>"
        "</listSubVolume></reconstruction></tomodb2>"
    )
    return home / "v.vol"


# Tables


def csv_one_line_of_gigabytes(home: Path) -> Path:
    with (home / "s.csv").open("wb") as stream:
        stream.write(b"energy [keV],counts\n" + b"1,2\n" * 20_000)
        stream.truncate(1 << 30)
    return home / "s.csv"


def csv_of_ten_gigabytes(home: Path) -> Path:
    with (home / "s.csv").open("wb") as stream:
        stream.write(b"energy [keV],counts\n" + b"1,2\n" * 20_000)
        stream.truncate(10 << 30)
    return home / "s.csv"


def csv_line_without_end(home: Path) -> Path:
    (home / "s.csv").write_bytes(b"energy [keV],counts\n" + b"1,2\n" * 20_000 + b"1," * (30 << 20))
    return home / "s.csv"


def csv_blank_name(home: Path) -> Path:
    """A name of blanks: matched the simple way, its cost grows with its square."""
    (home / "s.csv").write_text("energy [keV],a" + " " * 60_000 + "b,counts\n" + "1,2,3\n" * 9000)
    return home / "s.csv"


def table_blank_value(home: Path) -> Path:
    text = json.dumps({"Pixel size": "1" + " " * 1_000_000 + "x"})
    return kept(home, text.encode(), "t.json")


def table_open_brackets(home: Path) -> Path:
    return kept(home, json.dumps({"(" * 1_000_000: "1 um", "Pixel size": "1 um"}).encode(), "t.json")


def table_deep(home: Path) -> Path:
    return kept(home, b'{"Pixel size":' * 200_000 + b"1" + b"}" * 200_000, "t.json")


def table_deep_value(home: Path) -> Path:
    return kept(home, b'{"Pixel size (um)": 1, "x":' + b"[" * 900 + b"]" * 900 + b"}", "t.json")


def table_infinite(home: Path) -> Path:
    names = "Pixel size (um),Projections,Energy (keV),Rows,Columns,Distance (mm),Voxel size (um),Exposure (s),Scans"
    rows = dict.fromkeys(
        [*names.split(","), "Angle step (deg)", "Size (GB)", "width", "height", "bits"], "1e999"
    )
    return kept(home, json.dumps(rows).encode(), "t.json")


def table_not_a_number(home: Path) -> Path:
    return kept(
        home, b'{"Pixel size (um)": NaN, "Projections": Infinity, "Energy (keV)": -Infinity}', "t.json"
    )


def table_long_number(home: Path) -> Path:
    return kept(home, b'{"Pixel size (um)": ' + b"9" * 1_000_000 + b"}", "t.json")


def table_many_lines(home: Path) -> Path:
    return kept(home, b"name,value,unit\n" + b"a,1,m\n" * 2_500_000, "t.csv")


def table_long_line(home: Path) -> Path:
    return kept(home, b"name,value,unit\n" + b"a" * (15 << 20), "t.csv")


def table_many_cells(home: Path) -> Path:
    return kept(home, b"name,value,unit\n" + b"," * (15 << 20), "t.csv")
