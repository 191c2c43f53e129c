"""Which numbers may stand beside each other: the same protocol, network, reference and numbers of images."""

from __future__ import annotations

from genbench.evaluation.result import Images, MetricResult, Reference, Result


def difference_in_making(base: Result, base_metric: MetricResult, current: Result, metric: MetricResult) -> str | None:
    """The first thing in which the making of two values differs, such as "n: 5,000 and 10,000 images"; None for nothing.

    Values are comparable with the same protocol, weights and preprocessing, against the same images, at the same number of
    images; those whose expected value does not depend on it at any. A value that its evaluation marked stands alone.
    """
    found = _difference("protocol", base_metric.protocol, metric.protocol) or _extractors(base_metric, metric)
    if found is None and (uses_reference(base, base_metric) or uses_reference(current, metric)):
        found = _sides(base, current)
    if found is None and not (_free_of_counts(base_metric) and _free_of_counts(metric)):
        found = _counts("n", base_metric.n, metric.n, "images") or _counts(
            "n_real", base_metric.n_real, metric.n_real, "reference images"
        )
    marked = next((one for one in (base_metric, metric) if not one.comparable), None)
    if found is None and marked is not None:
        found = f"comparable: {'; '.join(marked.notes) or 'marked as not comparable'}"
    return found


def _extractors(one: MetricResult, other: MetricResult) -> str | None:
    if one.extractor is None or other.extractor is None:
        return _difference("extractor", *(each.extractor.extractor if each.extractor else "none" for each in (one, other)))
    parts, others = one.extractor.model_dump(), other.extractor.model_dump()
    return next(filter(None, (_difference(name, parts[name], others[name]) for name in parts)), None)


def _free_of_counts(metric: MetricResult) -> bool:
    """Whether the expected value is the same at any number of images: unbiased U-statistics, means over the images alone."""
    if metric.method == "u-statistic":
        return metric.bias_corrected is None
    return metric.method in ("mean", "clusters") and metric.n_real is None


def uses_reference(result: Result, metric: MetricResult) -> bool:
    """Whether the value depends on the other side: it counts its images, or nobody knows how many those are."""
    return metric.n_real is not None or (result.reference is not None and result.reference.n is None)


def same_reference(base: Result, current: Result) -> bool:
    """Whether both were measured against the very same images in the same order, so that their noise is shared."""
    return base.reference is not None and current.reference is not None and _side("reference", base, current) is None


def _sides(base: Result, current: Result) -> str | None:
    return next(filter(None, (_side(name, base, current) for name in ("reference", "held_out", "paired"))), None)


def _side(name: str, base: Result, current: Result) -> str | None:
    one, other = getattr(base, name), getattr(current, name)
    if one is None or other is None:
        return None if one is other else f"{name}: {_named(one)} and {_named(other)}"
    return None if same_images(one, other) else f"{name}: {_named(one)} and {_named(other)}"


def same_images(one: Images, other: Images) -> bool:
    """Whether both sides are the same: by content where that is known of both, else by the file that holds the statistics."""
    if one.digest is not None and other.digest is not None:
        return one.digest == other.digest
    if isinstance(one, Reference) and isinstance(other, Reference) and one.sha256 is not None and other.sha256 is not None:
        return one.sha256 == other.sha256
    return False


def _named(side: Images | None) -> str:
    if side is None:
        return "none"
    mark = side.digest or (side.sha256 if isinstance(side, Reference) else None)
    return f"{side.name} ({mark.removeprefix('sha256:')[:12]})" if mark else side.name


def _difference(name: str, one: object, other: object) -> str | None:
    return None if one == other else f"{name}: {_short(one)} and {_short(other)}"


def _short(value: object) -> str:
    text = str(value)
    return text[:12] if len(text) == 64 else text  # a hash


def _counts(name: str, one: int | None, other: int | None, what: str) -> str | None:
    if one == other:
        return None
    shown = [f"{count:,}" if count is not None else "unknown" for count in (one, other)]
    return f"{name}: {shown[0]} and {shown[1]} {what}"
