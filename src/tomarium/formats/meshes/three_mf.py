"""3MF: a mesh with its unit, title, licence and a picture, as slicers read it."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from io import BytesIO
from typing import Final
from xml.sax.saxutils import escape, quoteattr

from tomarium.model import Mesh

KNOWN: Final = (
    "Title", "Designer", "Description", "Copyright", "LicenseTerms", "CreationDate", "Application",
)  # fmt: skip
"""Names of metadata that the specification has; others would need a namespace."""
_WHEN: Final = (1980, 1, 1, 0, 0, 0)
_TYPES: Final = (
    '<?xml version="1.0" encoding="UTF-8"?>\n'
    '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
    '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
    '<Default Extension="model" ContentType="application/vnd.ms-package.3dmanufacturing-3dmodel+xml"/>'
    '<Default Extension="png" ContentType="image/png"/></Types>'
)
_THUMBNAIL: Final = (
    '<Relationship Target="/Metadata/thumbnail.png" Id="picture" '
    'Type="http://schemas.openxmlformats.org/package/2006/relationships/metadata/thumbnail"/>'
)
_RELATIONS: Final = (
    '<?xml version="1.0" encoding="UTF-8"?>\n'
    '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
    '<Relationship Target="/3D/3dmodel.model" Id="model" '
    'Type="http://schemas.microsoft.com/3dmanufacturing/2013/01/3dmodel"/>{}</Relationships>'
)


def three_mf_bytes(mesh: Mesh, metadata: Mapping[str, str], thumbnail: bytes | None = None) -> bytes:
    """Write a mesh as 3MF, unit millimetre.

    Parameters
    ----------
    mesh : Mesh
        Closed, in mm.
    metadata : Mapping of str to str
        Names of `KNOWN`; empty texts are left out.
    thumbnail : bytes, optional
        A PNG that programs show.

    Returns
    -------
    bytes
        The file; the same for the same content.

    Raises
    ------
    KeyError
        A name that the specification does not have.

    References
    ----------
    3MF Consortium, 3D Manufacturing Format Core Specification 1.3, sections 3 and 4.
    """
    if unknown := set(metadata) - set(KNOWN):
        raise KeyError(f"3MF has no metadata of the names {', '.join(sorted(unknown))}")
    target = BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as package:
        _add_file(package, "[Content_Types].xml", _TYPES.encode())
        _add_file(package, "_rels/.rels", _RELATIONS.format(_THUMBNAIL if thumbnail else "").encode())
        _add_file(package, "3D/3dmodel.model", _model(mesh, metadata).encode())
        if thumbnail:
            _add_file(package, "Metadata/thumbnail.png", thumbnail)
    return target.getvalue()


def _add_file(package: zipfile.ZipFile, name: str, content: bytes) -> None:
    entry = zipfile.ZipInfo(name, _WHEN)
    entry.compress_type = zipfile.ZIP_DEFLATED
    package.writestr(entry, content)


def _model(mesh: Mesh, metadata: Mapping[str, str]) -> str:
    elements = "".join(
        f"<metadata name={quoteattr(key)}>{escape(_printable(text))}</metadata>"
        for key, text in metadata.items()
        if text
    )
    vertices = "".join(
        f'<vertex x="{x:.6g}" y="{y:.6g}" z="{z:.6g}"/>' for x, y, z in mesh.vertices_mm.tolist()
    )
    triangles = "".join(f'<triangle v1="{a}" v2="{b}" v3="{c}"/>' for a, b, c in mesh.faces.tolist())
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<model unit="millimeter" xml:lang="en" '
        'xmlns="http://schemas.microsoft.com/3dmanufacturing/core/2015/02">'
        f'{elements}<resources><object id="1" type="model"><mesh><vertices>{vertices}</vertices>'
        f"<triangles>{triangles}</triangles></mesh></object></resources>"
        '<build><item objectid="1"/></build></model>'
    )


def _printable(text: str) -> str:
    """Leave out the control characters that XML 1.0 cannot hold."""
    return "".join(character for character in text if character in "\n\t" or ord(character) >= 32)
