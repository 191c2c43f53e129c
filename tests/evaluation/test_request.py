"""What a user asks for is parsed into exactly one protocol name, or refused with what would be right."""

from __future__ import annotations

import pytest

from genbench import catalog
from genbench.errors import UsageError
from genbench.evaluation.request import Request, again, parse, parse_all
from genbench.evaluation.result import Extractor, MetricResult


@pytest.mark.parametrize(
    ("text", "extractor", "protocol"),
    [
        ("fid", None, "fid:tf/1"),
        ("fid:clean", None, "fid:clean/1"),
        ("fid@tiny", None, "fd@tiny/1"),
        ("fd@tiny", None, "fd@tiny/1"),
        ("fid", "tiny", "fd@tiny/1"),
        ("fd@inception.768", None, "fd@inception.768:tf/1"),
        ("kid:subsets", None, "kid:tf:subsets/1"),
        ("kd:subsets", "tiny", "kd@tiny:subsets/1"),
        ("inception_score", None, "inception_score:tf/1"),
        ("precision", None, "prdc:tf:k5/1"),
        ("prdc@tiny:k3", None, "prdc@tiny:k3/1"),
        ("fd@pixels", None, "fd@pixels/1"),
        ("sfid", None, "sfid:tf/1"),
        ("sfid:pytorch", None, "sfid:pytorch/1"),
        ("fd@inception.spatial", None, "sfid:tf/1"),
        ("fid_infinity", None, "fid_infinity:tf/1"),
        ("fd@extractors:Small", None, "fd@extractors/1"),
        ("prdc@extractors:Small:k3", None, "prdc@extractors:k3/1"),
        ("ssim", "tiny", "ssim:gaussian/1"),
        ("lpips:vgg", "tiny", "lpips:vgg/1"),
        ("sharpness", None, "sharpness/1"),
        ("cmmd", "tiny", "cmmd:l14-336-square/1"),
        ("cmmd:l14", None, "cmmd:l14/1"),
        ("clip_score", None, "clip_score:b32:hessel/1"),
        ("fd@dinov2:b14", None, "fd@dinov2:b14/1"),
    ],
)
def test_protocol_names(text: str, extractor: str | None, protocol: str) -> None:
    assert parse(text, extractor).protocol == protocol


def test_precision_is_part_of_the_protocol() -> None:
    assert parse("fid", None, "bf16").protocol == "fid:tf+bf16/1"


def test_names_of_one_computation_are_computed_once() -> None:
    requests = parse_all(["recall", "precision", "fd"], "tiny", "fp32", given={"a reference"})
    assert [request.protocol for request in requests] == ["prdc@tiny:k5/1", "fd@tiny/1"]
    assert requests[0].wanted == ("recall", "precision")


def test_the_default_is_all_that_the_extractor_allows() -> None:
    labels = [request.label for request in parse_all(None, "tiny", "fp32", given={"a reference"})]
    assert labels == ["fd", "kd", "inception_score", "prdc"]
    labels = [request.label for request in parse_all(None, "pixels", "fp32", given={"a reference"})]
    assert labels == ["fd", "kd", "prdc"]
    labels = [request.label for request in parse_all(None, "tiny", "fp32", given=set())]
    assert labels == ["inception_score"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("fidd", "no metric named 'fidd'"),
        ("fid@inceptoin", "no extractor named 'inceptoin'"),
        ("fid:cleen", "no protocol named 'cleen'"),
        ("inception_score@pixels", "needs class probabilities, which pixels does not give"),
        ("fd@inception.100", "needs a layer '100', which inception does not give"),
    ],
)
def test_what_does_not_exist_is_named(text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        parse(text)
    assert caught.value.hint


@pytest.mark.parametrize(
    ("metric", "message"),
    [
        ("ssim", "ssim needs paired images"),
        ("c_t@tiny", "c_t needs held-out images"),
        ("attribute_accuracy", "needs captions"),
        ("clip_score", "clip_score needs captions"),
    ],
)
def test_what_else_a_metric_needs_is_asked_for(metric: str, message: str) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        parse_all([metric], None, "fp32", given={"a reference"})
    assert "--" in caught.value.hint


def test_a_string_is_a_list_and_an_empty_list_is_none() -> None:
    requests = parse_all("fd,kd", "tiny", "fp32", given={"a reference"})
    assert [request.protocol for request in requests] == ["fd@tiny/1", "kd@tiny/1"]
    with pytest.raises(UsageError, match="an empty list"):
        parse_all([], "tiny", "fp32", given={"a reference"})


def test_who_has_no_way_to_give_more_is_not_told_to_add_an_option() -> None:
    with pytest.raises(UsageError, match="needs more than the images and a reference") as caught:
        parse_all(["ssim"], None, "fp32", given={"a reference"}, can_take=("features",))
    assert "--" not in caught.value.hint


def test_with_pairs_the_default_is_what_pairs_allow() -> None:
    labels = [request.label for request in parse_all(None, "tiny", "fp32", given={"paired images"})]
    assert labels == ["ssim", "psnr", "l1", "l2"]
    labels = [request.label for request in parse_all(None, "tiny", "fp32", given={"paired images", "a reference"})]
    assert labels == ["ssim", "psnr", "l1", "l2", "fd", "kd", "inception_score", "prdc"]


def test_with_captions_the_default_reads_them() -> None:
    labels = [request.label for request in parse_all(None, "tiny", "fp32", given={"captions"})]
    assert labels == ["clip_score"]


def test_videos_and_places_that_make_no_sense_are_refused() -> None:
    with pytest.raises(UsageError, match="measures videos"):
        parse("flicker")
    with pytest.raises(UsageError, match="looks at the images themselves"):
        parse("ssim@tiny")


def test_a_reference_is_asked_for() -> None:
    with pytest.raises(UsageError, match="fd needs a reference"):
        parse_all(["fd@tiny"], None, "fp32", given=set())
    with pytest.raises(UsageError, match="without a reference"):
        parse_all(None, "pixels", "fp32", given=set())


def every_request() -> list[str]:
    """Every name that every metric reports, in every protocol, and on other features where it takes any."""
    texts = []
    for file in catalog.names("metrics"):
        metric = catalog.find("metrics", file)
        if metric.takes in ("points", "videos"):
            continue
        aliases = [alias for names in metric.on.values() for alias in names.values()]
        places = ["", "@tiny"] if metric.extractor == "inception" else [""]
        options = [f":{protocol}" if protocol else "" for protocol in metric.protocols]
        texts += [f"{name}{place}{option}" for name in metric.reports for place in places for option in options]
        texts += [f"{alias}{option}" for alias in aliases for option in options]
    return [*texts, "fid:clean", "fid:pytorch", "sfid:tf", "fd@inception.768", "fd@dinov2:b14", "lpips:vgg", "cmmd:l14"]


def stored(request: Request, precision: str) -> MetricResult:
    """What a result keeps of a request."""
    place = request.place
    identity = {"version": 1, "weights_sha256": "", "preprocess": "", "precision": precision}
    return MetricResult(
        name=request.reported(request.wanted[0]),
        value=1.0,
        se=None,
        ci=None,
        level=0.95,
        method="none",
        n=1,
        n_real=None,
        better="lower",
        protocol=request.protocol,
        layer=place.layer if place else None,
        extractor=Extractor(extractor=place.extractor_class.name(), **identity) if place else None,  # type: ignore[arg-type]
        reason="",
    )


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("text", every_request())
def test_there_is_a_way_back_from_a_stored_protocol(text: str, precision: str) -> None:
    request = parse(text, None, precision)  # type: ignore[arg-type]
    metric = stored(request, precision)
    texts, found = again([metric])
    back = parse(texts[0], None, found)
    assert (back.protocol, back.place) == (request.protocol, request.place)
    assert metric.name in [back.reported(name) for name in back.wanted]
    assert found == (precision if request.place else "fp32")


def test_networks_from_outside_cannot_be_asked_for_by_a_stored_name() -> None:
    with pytest.raises(UsageError, match="fd@extractors/1 cannot be asked for by its name") as caught:
        again([stored(parse("fd@extractors:Small"), "fp32")])
    assert "genbench evaluate" in caught.value.hint


def test_a_layer_of_one_s_own_is_a_protocol_of_its_own() -> None:
    assert parse("fd@tiny").protocol == "fd@tiny/1"
    assert parse("fd@tiny.logits").protocol == "fd@tiny.logits/1"
    assert parse("inception_score@tiny").protocol == "inception_score@tiny/1"
    assert parse("fid").protocol == "fid:tf/1"
    assert parse("fd@inception.logits").protocol == "fd@inception.logits:tf/1"
    assert parse("sfid").protocol == "sfid:tf/1"
