"""The name is the file: `find("metrics", "fid")` imports genbench/metrics/fid.py and returns the one `Metric` in it.

Every file of a catalogued folder is an entry, except base.py and files that begin with an underscore. Listing reads file
names and imports nothing. Code from outside is named "package.module:Object". A dash in a name is an underscore in the file.
"""

from __future__ import annotations

import difflib
import importlib
import inspect
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

from genbench.errors import UsageError

Kind = Literal["metrics", "extractors", "datasets"]

# kind -> the package that holds its entries, and the contract an entry fulfils
CONTRACTS: dict[Kind, tuple[str, str]] = {
    "metrics": ("genbench.metrics", "Metric"),
    "extractors": ("genbench.features", "FeatureExtractor"),
    "datasets": ("genbench.data.sets", "NamedDataset"),
}


def names(kind: Kind) -> list[str]:
    """The names of all entries of a kind, sorted; nothing is imported."""
    package = CONTRACTS[kind][0].split(".")[1:]
    folder = Path(__file__).parent.joinpath(*package)
    return sorted(
        path.stem.replace("_", "-") if kind == "datasets" else path.stem
        for path in folder.glob("*.py")
        if path.stem != "base" and not path.stem.startswith("_")
    )


def find(kind: Kind, name: str) -> Any:
    """The entry called `name`: a `Metric`, or a class of `FeatureExtractor` or `NamedDataset`.

    Raises UsageError with suggestions for an unknown name, and says what is wrong with an entry that breaks the contract.
    """
    package, contract_name = CONTRACTS[kind]
    contract = getattr(importlib.import_module(f"{package}.base"), contract_name)
    if ":" in name:
        return _from_outside(kind, name, contract)
    if name not in names(kind):
        raise unknown(kind, name, names(kind))
    module = importlib.import_module(f"{package}.{name.replace('-', '_')}")
    entries = _entries(module, contract)
    if len(entries) != 1:
        raise TypeError(f"{module.__file__} holds {len(entries)} entries of {contract_name}; it must hold exactly one")
    return entries[0]


def unknown(kind: str, name: str, known: Iterable[str]) -> UsageError:
    """The error for a name that does not exist, with the nearest ones that do."""
    known = sorted(known)
    near = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
    suggestion = f"did you mean {' or '.join(near)}?" if near else f"known: {', '.join(known)}"
    return UsageError("E-NAME", f"no {kind.removesuffix('s')} named {name!r}", hint=suggestion)


def _entries(module: ModuleType, contract: type) -> list[Any]:
    def fulfils(value: Any) -> bool:
        if isinstance(value, contract):
            return True
        own_class = inspect.isclass(value) and value.__module__ == module.__name__
        return own_class and issubclass(value, contract) and not inspect.isabstract(value)

    return [value for value in vars(module).values() if fulfils(value)]


def _from_outside(kind: str, name: str, contract: type) -> Any:
    module_name, _, attribute = name.partition(":")
    try:
        entry = getattr(importlib.import_module(module_name), attribute)
    except (ImportError, AttributeError) as error:
        raise UsageError("E-NAME", f"cannot load {name!r}: {error}", hint='write "package.module:Object"') from error
    if not (isinstance(entry, contract) or (inspect.isclass(entry) and issubclass(entry, contract))):
        raise UsageError("E-NAME", f"{name!r} is no {contract.__name__}", hint=f"see {contract.__module__} for the contract")
    return entry
