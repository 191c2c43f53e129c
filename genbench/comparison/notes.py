"""What stands below a comparison: what was shared, which errors are too large, and which metrics are left out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from genbench.comparison.pair import Pair
from genbench.evaluation.result import Result


def notes(pairs: Mapping[str, list[Pair]], results: Sequence[Result]) -> Iterator[str]:
    """What was taken out of the errors, and where they are larger than they need be."""
    found: dict[str, list[str]] = {}
    for all_pairs in pairs.values():
        name = all_pairs[0].difference.base.short_name
        for sentence in dict.fromkeys(_sentence(pair) for pair in all_pairs):
            if sentence:
                found.setdefault(sentence, []).append(name)
    yield from (f"{', '.join(dict.fromkeys(names))}: {sentence}" for sentence, names in found.items())
    if any(not result.influence for result in results):
        yield "without influence.safetensors beside a result, what sets share is not taken out, and errors are too large"


def _sentence(pair: Pair) -> str:
    """What is special about a pair, in order of its weight; nothing of most."""
    shares = pair.difference.shares
    if reason := pair.difference.reason or pair.difference.base.reason or pair.difference.current.reason:
        return reason
    if pair.test == "permutation":
        return "so near zero that the error is too large; p* is that of a permutation test"
    if pair.near_zero:
        return (
            "so near zero that the error is too large and p too high; images instead of results (--ref) get a permutation test"
        )
    if pair.difference.better == "zero" and float(pair.difference.base) * float(pair.difference.current) < 0:
        return (
            "best is zero and the values lie on either side of it: p is of the change of their sizes, |b| - |a|, not of b - a"
        )
    what = {"reference": "the reference", "images": "the images' names"}
    return f"the sets share {' and '.join(what[one] for one in shares)}, which is taken out of the error" if shares else ""


def left_out(results: Sequence[Result], names: Sequence[str], compared: set[str]) -> Iterator[str]:
    """A sentence for each metric that stands in some results and in no comparison."""
    for key in dict.fromkeys(key for result in results for key in result.by_protocol):
        if key in compared:
            continue
        lacking = [name for name, result in zip(names, results, strict=True) if key not in result.by_protocol]
        without = [
            f"{name} has no value ({found.reason})"
            for name, result in zip(names, results, strict=True)
            if (found := result.by_protocol.get(key)) is not None and found.value is None
        ]
        if lacking or without:
            yield f"{key}: " + "; ".join([*(f"not in {name}" for name in lacking), *without])
