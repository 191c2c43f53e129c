"""The name is the file: `find("metrics", "fid")` imports genbench/metrics/fid.py and returns the one `Metric` in it.

Every file of a catalogued folder is an entry, except base.py and files that begin with an underscore. Models lie one folder
deeper, in their family's: genbench/models/flow/real_nvp.py is "real_nvp". Listing reads file names and imports nothing. Code
from outside is named "package.module:Object". In names of datasets a dash stands for the file's underscore.
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

Kind = Literal["metrics", "extractors", "datasets", "models", "diagnostics"]

# kind -> the package that holds its entries, and the contract an entry fulfils
CONTRACTS: dict[Kind, tuple[str, str]] = {
    "metrics": ("genbench.metrics", "Metric"),
    "extractors": ("genbench.features", "FeatureExtractor"),
    "datasets": ("genbench.data.sets", "NamedDataset"),
    "models": ("genbench.models", "GenerativeModel"),
    "diagnostics": ("genbench.diagnostics", "Diagnostic"),
}


def names(kind: Kind) -> list[str]:
    """The names of all entries of a kind, sorted; nothing is imported."""
    return sorted(_modules(kind))


def family(name: str) -> str:
    """The family a model belongs to, which is its folder: "flow" for "real_nvp"; "outside" for "package.module:Object"."""
    return "outside" if ":" in name else _modules("models")[name].split(".")[-2]


def find(kind: Kind, name: str) -> Any:
    """The entry called `name`: a `Metric`, or a class of `FeatureExtractor`, `NamedDataset` or `GenerativeModel`.

    Raises UsageError with suggestions for an unknown name, and says what is wrong with an entry that breaks the contract.
    """
    package, contract_name = CONTRACTS[kind]
    contract = getattr(importlib.import_module(f"{package}.base"), contract_name)
    if ":" in name:
        return _from_outside(kind, name, contract)
    modules = _modules(kind)
    if name not in modules:
        raise unknown(kind, name, modules)
    module = importlib.import_module(modules[name])
    entries = _entries(module, contract)
    if len(entries) != 1:
        raise TypeError(f"{module.__file__} holds {len(entries)} entries of {contract_name}; it must hold exactly one")
    return entries[0]


def unknown(kind: str, name: str, known: Iterable[str]) -> UsageError:
    """The error for a name that does not exist, with the nearest ones that do."""
    known = sorted(known)
    near = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
    suggestion = f"did you mean {' or '.join(near)}?" if near else f"known: {', '.join(known)}"
    one = f"{kind.removesuffix('ies')}y" if kind.endswith("ies") else kind.removesuffix("s")
    return UsageError("E-NAME", f"no {one} named {name!r}", hint=suggestion)


def _modules(kind: Kind) -> dict[str, str]:
    """Name -> module of every entry."""
    package = CONTRACTS[kind][0]
    folder = Path(__file__).parent.joinpath(*package.split(".")[1:])
    found: dict[str, str] = {}
    for path in folder.glob("*/*.py" if kind == "models" else "*.py"):
        if path.stem == "base" or path.stem.startswith("_"):
            continue
        name = path.stem.replace("_", "-") if kind == "datasets" else path.stem
        if name in found:
            raise TypeError(f"two files are called {path.name}: one in {found[name]}, one in {path.parent.name}")
        found[name] = ".".join((package, *path.relative_to(folder).with_suffix("").parts))
    return found


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
