"""A paragraph for a paper, written by itself: what was measured, how, with which errors; and the sources it rests on."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from genbench import __version__
from genbench.evaluation.result import Extractor, MetricResult, Reference, Result
from genbench.report.features import catalogued

ERRORS = {
    "influence": "influence functions of both sides",
    "jackknife": "a jackknife",
    "u-statistic": "the variance of a U-statistic",
    "binomial": "the binomial distribution, with Wilson's interval",
    "mean": "the spread of what is averaged",
    "clusters": "the spread of the means of groups that belong together",
}
CITED = re.compile(r"^(?P<authors>[^0-9]+?) (?P<year>(?:19|20)\d\d)\b[,.]? ?(?P<rest>.*)$")
ADDRESS = re.compile(r"https?://[^\s,;]+[^\s,;.]")
ARXIV = re.compile(r"arxiv\.org/abs/(\S+)")


@dataclass(frozen=True, kw_only=True)
class Cited:
    """A source: text before its address, and the address, empty where there is none. used: for which numbers."""

    text: str
    address: str
    used: str


@dataclass(frozen=True, kw_only=True)
class Methods:
    """A paragraph for a paper; what it cites, each with the metrics that it is for, and as BibTeX."""

    paragraph: str
    sources: tuple[Cited, ...]
    bibtex: str


def methods(result: Result) -> Methods:
    """Of everything that the result reports."""
    sources = cited(result.metrics)
    return Methods(paragraph=" ".join(_sentences(result)), sources=sources, bibtex=bibtex(sources))


def _sentences(result: Result) -> Iterable[str]:
    subject, reference = result.subject, result.reference
    yield f"We measured {_count(subject.n)} images ({subject.name}) with genbench {result.env.get('genbench', __version__)}"
    yield f"against {_count(reference.n)} {_reference(reference)}." if reference else "without a reference."
    if result.held_out:
        yield f"{_count(result.held_out.n)} images of {result.held_out.name} were held out from training."
    for extractor, metrics in _by_extractor(result.metrics):
        names = _joined([metric.name for metric in metrics])
        if extractor is None:
            yield f"{names} {_are(metrics)} computed on the images themselves."
        else:
            made = f"weights {extractor.weights_sha256[:12]}, {extractor.preprocess}, {extractor.precision}"
            protocols = _joined(_protocols(metrics), "the protocol", "the protocols")
            yield f"{names} {_are(metrics)} computed on features of {extractor.extractor} ({made}), under {protocols}."
    by_method: dict[str, list[str]] = {}
    for metric in result.metrics:
        if metric.se is not None and metric.method in ERRORS:
            by_method.setdefault(ERRORS[metric.method], []).append(metric.short_name)
    if by_method:
        how = "; ".join(f"of {_joined(found)} by {method}" for method, found in by_method.items())
        yield f"Values are given ± one standard error, and intervals hold at 95 %; errors are estimated {how}."
    without = [metric.short_name for metric in result.metrics if metric.value is not None and metric.se is None]
    if without:
        yield f"{_joined(without)} {'have' if len(without) > 1 else 'has'} no error bar."
    corrected = [metric.short_name for metric in result.metrics if metric.bias_corrected is not None]
    if corrected:
        yield f"Values are those at this number of images; that of {_joined(corrected)} without its bias stands beside it."
    small = [metric for metric in result.metrics if not metric.comparable]
    if small:
        why = "; ".join(dict.fromkeys(note for metric in small for note in metric.notes))
        yield f"{_joined([metric.short_name for metric in small])} must not be compared with other values: {why}."


def _count(n: int | None) -> str:
    return "an unknown number of" if n is None else f"{n:,}"


def _reference(reference: Reference) -> str:
    known = "images" if reference.made == "images" else "images by their statistics"
    digest = f", digest {reference.digest.removeprefix('sha256:')[:12]}" if reference.digest else ""
    return f"{known} ({reference.name}{digest})"


def _by_extractor(metrics: Sequence[MetricResult]) -> list[tuple[Extractor | None, list[MetricResult]]]:
    found: dict[str, tuple[Extractor | None, list[MetricResult]]] = {}
    for metric in metrics:
        key = metric.extractor.model_dump_json() if metric.extractor else ""
        found.setdefault(key, (metric.extractor, []))[1].append(metric)
    return list(found.values())


def _protocols(metrics: Sequence[MetricResult]) -> list[str]:
    return list(dict.fromkeys(metric.protocol for metric in metrics))


def _are(metrics: Sequence[MetricResult]) -> str:
    return "were" if len({metric.name for metric in metrics}) > 1 else "was"


def _joined(names: Sequence[str], one: str = "", several: str = "") -> str:
    """ "a, b and c", each once, behind the word for one or for several."""
    unique = list(dict.fromkeys(names))
    text = unique[0] if len(unique) == 1 else f"{', '.join(unique[:-1])} and {unique[-1]}"
    word = one if len(unique) == 1 else several
    return f"{word} {text}".strip()


def cited(metrics: Sequence[MetricResult]) -> tuple[Cited, ...]:
    """The sources of the metrics as the catalogue names them, each once, in the order of the metrics."""
    used: dict[str, list[str]] = {}
    for metric in metrics:
        entry = catalogued(metric)
        for part in entry.source.split(";") if entry else ():
            used.setdefault(part.strip().rstrip("."), []).append(metric.name)
    return tuple(_cited(part, names) for part, names in used.items() if part)


def _cited(part: str, names: Sequence[str]) -> Cited:
    address = ADDRESS.search(part)
    text = ADDRESS.sub("", part).strip(" ,.")
    return Cited(text=text, address=address[0] if address else "", used=", ".join(dict.fromkeys(names)))


def _plain(name: str) -> str:
    """Without accents."""
    return unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()


def bibtex(sources: Sequence[Cited]) -> str:
    """An entry for each source that begins with authors and a year."""
    entries: dict[str, str] = {}
    for source in sources:
        match = CITED.match(source.text)
        if match is None:
            continue
        authors = match["authors"].strip(" ,")
        key = re.sub(r"[^a-z]", "", _plain(authors.split(" ")[0]).lower()) + match["year"]
        fields = {
            "author": authors.replace(" et al.", " and others"),
            "year": match["year"],
            "title": match["rest"].strip(" ,."),
        }
        arxiv = ARXIV.search(source.address)
        fields |= {"eprint": arxiv[1], "archiveprefix": "arXiv"} if arxiv else {"url": source.address}
        lines = ",\n".join(f"  {name} = {{{value}}}" for name, value in fields.items() if value)
        while key in entries:
            key += "b"
        entries[key] = f"@misc{{{key},\n{lines}\n}}"
    return "\n\n".join(entries.values())
