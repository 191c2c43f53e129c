"""Some of a suite's entries, by name."""

from __future__ import annotations

from collections.abc import Sequence

from genbench import catalog
from genbench.bench.suite import Suite


def selected(suite: Suite, only: Sequence[str]) -> Suite:
    """The suite with the entries that `only` names: by label, by what their folder is called, or all of a model; () is all.

    Raises UsageError for a name that fits none.
    """
    if not only:
        return suite
    names = [{entry.name, entry.model, (entry.label or entry.model).lower()} for entry in suite.entries]
    wanted = {name.strip().lower() for name in only}
    for name in wanted:
        if not any(name in called for called in names):
            raise catalog.unknown("entries", name, {known for called in names for known in called})
    chosen = [entry for entry, called in zip(suite.entries, names, strict=True) if called & wanted]
    return suite.model_copy(update={"entries": chosen})
