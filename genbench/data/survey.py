"""One pass over the files before any slow work: what they are, whether they fit together, and a digest of them all.

Headers are read and contents hashed; nothing is decoded.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from genbench.data.base import BadImageError, ImageSource, Pixels, Policy
from genbench.data.decode import Header, read_header
from genbench.data.names import SUFFIXES
from genbench.data.workers import in_order
from genbench.errors import DataError, Warned

ITEMS_PER_TASK = 256
FEW = 4096  # below this many files, starting worker processes takes longer than they save


@dataclass(kw_only=True)
class Survey:
    """What a source holds. Positions are those in the source.

    usable: positions of the images to measure, and hashes[position]: 16 bytes of BLAKE2b over file or pixels.
    digest: "sha256:..." over these hashes in order; neither names nor places enter it.
    size: (H, W) that every image has, or is resized to.
    sizes ("WxH"), modes, formats: counts over the usable images; pixels that were never encoded have no format.
    duplicates: images that are exact copies of an earlier one.
    """

    usable: list[int] = field(default_factory=list)
    hashes: dict[int, bytes] = field(default_factory=dict)
    digest: str = ""
    size: tuple[int, int] = (0, 0)
    sizes: Counter[str] = field(default_factory=Counter)
    modes: Counter[str] = field(default_factory=Counter)
    formats: Counter[str] = field(default_factory=Counter)
    duplicates: int = 0
    skipped: list[tuple[str, str]] = field(default_factory=list)
    warnings: list[Warned] = field(default_factory=list)


def survey(source: ImageSource, policy: Policy, *, workers: int, progress: Callable[[int, int], None] | None = None) -> Survey:
    """Look at every image of `source`; `progress(done, total)` is called now and then.

    Raises DataError for no images, for one that cannot be used (unless `policy.on_bad` is "skip") and for mixed sizes
    (unless `policy.on_size_mix` is "resize").
    """
    total = len(source)
    tasks = -(-total // ITEMS_PER_TASK)
    found = Survey()
    headers: dict[int, Header] = {}
    looks = in_order(_Look(source, policy), tasks, 0 if source.cheap or total < FEW else workers)
    for task, seen in enumerate(looks):
        for position, look in enumerate(seen, task * ITEMS_PER_TASK):
            if isinstance(look, BadImageError):
                _leave_out(source, policy, position, look, found)
            else:
                headers[position], found.hashes[position] = look
        if progress is not None:
            progress(min(total, (task + 1) * ITEMS_PER_TASK), total)
    found.usable = list(headers)
    if not headers:
        raise _empty(source, found.skipped)
    _sum_up(found, headers)
    _agree_on_size(source, policy, found, headers)
    found.warnings = _warnings(source, policy, found, headers)
    return found


def content_hash(item: bytes | Pixels) -> bytes:
    """16 bytes that tell a file, or pixels, from any other."""
    return hashlib.blake2b(item if isinstance(item, bytes) else item.tobytes(), digest_size=16).digest()


@dataclass(frozen=True)
class _Look:
    """Header and hash of each of some items, or why an item is bad; runs in worker processes."""

    source: ImageSource
    policy: Policy

    def __call__(self, task: int) -> list[tuple[Header, bytes] | BadImageError]:
        begin = task * ITEMS_PER_TASK
        return [self._look(index) for index in range(begin, min(begin + ITEMS_PER_TASK, len(self.source)))]

    def _look(self, index: int) -> tuple[Header, bytes] | BadImageError:
        try:
            item = self.source.read(index)
            if isinstance(item, bytes):
                return read_header(item, self.policy), content_hash(item)
        except BadImageError as error:
            return error
        _, height, width = item.shape
        return Header(height=height, width=width, mode="RGB", format="", frames=False, alpha=False), content_hash(item)


def _leave_out(source: ImageSource, policy: Policy, position: int, error: BadImageError, found: Survey) -> None:
    name = source.item_name(position)
    if policy.on_bad == "fail":
        raise error.named(name)
    found.skipped.append((name, error.message))


def _sum_up(found: Survey, headers: dict[int, Header]) -> None:
    found.sizes = Counter(_size(header) for header in headers.values())
    found.modes = Counter(header.mode for header in headers.values())
    found.formats = Counter(header.format for header in headers.values() if header.format)
    found.duplicates = len(found.hashes) - len(set(found.hashes.values()))
    found.digest = "sha256:" + hashlib.sha256(b"".join(found.hashes.values())).hexdigest()


def _size(header: Header) -> str:
    return f"{header.width}x{header.height}"


def _agree_on_size(source: ImageSource, policy: Policy, found: Survey, headers: dict[int, Header]) -> None:
    """Set the size of all images: the only one, or the most common one of a mix that may be resized."""
    (common, count), *others = found.sizes.most_common()
    offenders = [position for position, header in headers.items() if _size(header) != common]
    found.size = next((header.height, header.width) for header in headers.values() if _size(header) == common)
    if offenders and policy.on_size_mix == "fail":
        mix = [f"{count:,} images are {common}", *(f"{n:,} are {size}" for size, n in others[:3])]
        more = [f"and {len(others) - 3} more sizes"] if len(others) > 3 else []
        message = f"{', '.join([*mix, *more])} (first: {source.item_name(offenders[0])})"
        raise DataError("E-SIZE-MIX", message, hint="make them one size, or let them be resized with --on-size-mix resize")


def _warnings(source: ImageSource, policy: Policy, found: Survey, headers: dict[int, Header]) -> list[Warned]:
    """What a reader of the numbers should know about the files."""
    seen = headers.values()
    height, width = found.size
    alpha = "dropped" if policy.background is None else f"composed over {policy.background}"
    counts = {
        ("W-DUPLICATES", "exact copies of earlier images"): found.duplicates,
        ("W-RESIZED", f"images resized to {width}x{height}"): sum((look.height, look.width) != found.size for look in seen),
        ("W-ANIMATED", "files with several frames, of which the first is used"): sum(look.frames for look in seen),
        ("W-ALPHA", f"images with an alpha channel, which is {alpha}"): sum(look.alpha for look in seen),
        ("W-16-BIT", "images with 16-bit colour, of which the high byte is used"): found.modes["RGB;16"]
        + found.modes["RGBA;16"],
    }
    warnings = [Warned(code, f"{what}: {count:,}") for (code, what), count in counts.items() if count]
    if source.ignored:
        warnings.append(Warned("W-IGNORED", f"files that are no images: {_inventory(source.ignored)}"))
    return warnings


def _inventory(ignored: Counter[str]) -> str:
    return ", ".join(f"{count:,} {reason}" for reason, count in ignored.most_common())


def _empty(source: ImageSource, skipped: list[tuple[str, str]]) -> DataError:
    if skipped:
        name, reason = skipped[0]
        message = f"none of the {len(skipped):,} images in {source.name} can be used (first: {name}: {reason})"
        return DataError("E-EMPTY", message, hint="look at the first one; see `genbench evaluate --help` for the formats")
    if source.kind not in ("folder", "zip", "tar"):
        return DataError("E-EMPTY", f"{source.name} holds no images", hint="give at least one image")
    inventory = f"{source.ignored.total():,} files: {_inventory(source.ignored)}" if source.ignored else "no files at all"
    looked_for = " ".join(suffix[1:] for suffix in SUFFIXES)
    message = f"no images found in {source.name} ({inventory}; looked for {looked_for})"
    return DataError("E-EMPTY", message, hint="pass the folder or archive that holds the images")
