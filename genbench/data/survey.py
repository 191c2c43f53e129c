"""A look at every image before the slow work: sizes, modes, formats, duplicates, and the digest that identifies the set.

Headers are read and bytes are hashed; nothing is decoded. What is wrong with a set of images is known after seconds.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from genbench.data.base import ImageSource, Policy, UInt8Image
from genbench.data.decode import FORMATS, BadImageError, Header, read_header
from genbench.errors import DataError, Warned


@dataclass(kw_only=True)
class Survey:
    """What a source holds.

    usable: indices of images whose headers are sound; size: the (H, W) they will have.
    digest: of all usable images' content in order; the same images have the same one in a folder, a zip or elsewhere on disk.
    hashes: of each usable image's content, so that a file that changes before it is decoded is noticed.
    sizes ("32x32", width first), modes, formats: how many images of each. duplicates: copies of an earlier image.
    """

    usable: list[int] = field(default_factory=list)
    hashes: list[bytes] = field(default_factory=list)
    size: tuple[int, int] = (0, 0)
    digest: str = ""
    sizes: Counter[str] = field(default_factory=Counter)
    modes: Counter[str] = field(default_factory=Counter)
    formats: Counter[str] = field(default_factory=Counter)
    duplicates: int = 0
    skipped: list[tuple[str, str]] = field(default_factory=list)
    warnings: list[Warned] = field(default_factory=list)


def content_hash(item: bytes | UInt8Image) -> bytes:
    """128 bits of BLAKE2b over encoded bytes, or over the shape and pixels of an array."""
    if isinstance(item, bytes):
        return hashlib.blake2b(item, digest_size=16).digest()
    return hashlib.blake2b(str(item.shape).encode() + np.ascontiguousarray(item).tobytes(), digest_size=16).digest()


def survey(source: ImageSource, policy: Policy, progress: Callable[[str, int, int], None]) -> Survey:
    """Look at every item of `source`.

    Raises DataError: E-EMPTY without a usable image, E-BAD-IMAGE for one that cannot be read under `on_bad = "fail"`,
    E-SIZE-MIX for several sizes unless they are to be resized.
    """
    found = Survey()
    first_of: dict[str, str] = {}  # size -> the first image of it
    animated = 0
    for index in range(len(source)):
        item = source[index]
        try:
            header = _header(item, policy)
        except BadImageError as error:
            if policy.on_bad == "fail":
                raise bad_image(source.item_name(index), str(error)) from None
            found.skipped.append((source.item_name(index), str(error)))
            continue
        size = f"{header.size[1]}x{header.size[0]}"
        first_of.setdefault(size, source.item_name(index))
        found.sizes[size] += 1
        found.modes[header.mode] += 1
        found.formats[header.format] += 1
        animated += header.frames > 1
        found.usable.append(index)
        found.hashes.append(content_hash(item))
        if (index + 1) % 1000 == 0:
            progress(f"looking at {source.name}", index + 1, len(source))
    if not found.usable:
        raise _empty(source, found)
    _agree_on_size(source, policy, found, first_of)
    found.formats.pop("", None)  # arrays have no format
    found.digest = "sha256:" + hashlib.sha256(b"".join(found.hashes)).hexdigest()
    found.duplicates = len(found.hashes) - len(set(found.hashes))
    _warn(source, found, animated)
    return found


def _header(item: bytes | UInt8Image, policy: Policy) -> Header:
    if isinstance(item, bytes):
        return read_header(item, policy)
    return Header((item.shape[1], item.shape[2]), "RGB", "", 1)


def bad_image(name: str, reason: str) -> DataError:
    return DataError(
        "E-BAD-IMAGE", f"{name}: {reason}", hint="mend or remove it, or pass --on-bad skip to leave such images out"
    )


def _empty(source: ImageSource, found: Survey) -> DataError:
    inventory = ", ".join(f"{count} {reason}" for reason, count in source.ignored.most_common())
    files = sum(source.ignored.values()) + len(found.skipped)
    inside = f" ({files} files: {inventory or f'{len(found.skipped)} that cannot be read'})" if files else ""
    hint = f"pass what holds the images; formats read here: {', '.join(FORMATS)}"
    return DataError("E-EMPTY", f"no images found in {source.name}{inside}", hint=hint)


def _agree_on_size(source: ImageSource, policy: Policy, found: Survey, first_of: dict[str, str]) -> None:
    (common, _), *others = found.sizes.most_common()
    width, height = common.split("x")
    found.size = int(height), int(width)
    if not others:
        return
    if policy.on_size_mix == "fail":
        counts = ", ".join(f"{count:,} are {size}" for size, count in found.sizes.most_common(5))
        message = f"the images of {source.name} have {len(found.sizes)} sizes: {counts} (first: {first_of[others[0][0]]})"
        raise DataError("E-SIZE-MIX", message, hint="pass --on-size-mix resize to bring all to the most common size")
    resized = sum(count for _, count in others)
    found.warnings.append(Warned("W-RESIZED", f"{resized:,} images of {source.name} were resized to {common}"))


def _warn(source: ImageSource, found: Survey, animated: int) -> None:
    texts = {
        "W-DUPLICATES": (found.duplicates, "images are exact copies of earlier ones"),
        "W-ANIMATED": (animated, "images are animated; their first frame is used"),
        "W-SKIPPED": (len(found.skipped), "images cannot be read and were left out"),
    }
    for code, (count, text) in texts.items():
        if count:
            found.warnings.append(Warned(code, f"{source.name}: {count:,} {text}"))
