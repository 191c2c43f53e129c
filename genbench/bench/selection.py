"""Some of a suite's entries, by name."""

from __future__ import annotations

from genbench import catalog
from genbench.bench.suite import Suite


def selected(suite: Suite, only: str | None) -> Suite:
    """The suite with the entries that `only` names, by label or model, separated by commas; all of them for None."""
    if only is None:
        return suite
    wanted = [name.strip().lower() for name in only.split(",") if name.strip()]
    names = [{entry.name, entry.model, (entry.label or entry.model).lower()} for entry in suite.entries]
    for name in wanted:
        if not any(name in called for called in names):
            raise catalog.unknown("entries", name, {entry.name for entry in suite.entries})
    chosen = [entry for entry, called in zip(suite.entries, names, strict=True) if called & set(wanted)]
    return suite.model_copy(update={"entries": chosen})
