"""The usage types of the providers' own SDKs, and every number in them, as the paths of JSON objects."""

import importlib
import re
from collections.abc import Iterable, Iterator
from pathlib import Path as FilePath
from types import ModuleType, NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel

FIELDS = ("usage", "usage_metadata", "tool_usage", "svg_usage")
# Imported on demand: that takes seconds.
PACKAGES = {
    "openai": ["openai.types"],
    "anthropic": ["anthropic.types"],
    "google": ["google.genai.types", "google.genai._gaos.types.interactions.interaction"],
}
_NAMES_FIELD = re.compile(rf"^ +(?:{'|'.join(FIELDS)}) *:", re.MULTILINE)
Path = tuple[str | int, ...]


def usage_types(package: str) -> dict[str, tuple[str, type[BaseModel]]]:
    """By qualified name: the field under which some response of the SDK has it, and the type."""
    found: dict[str, tuple[str, type[BaseModel]]] = {}
    for response in _models(map(importlib.import_module, PACKAGES[package])):
        for name, field in response.model_fields.items():
            if name in FIELDS:
                found |= {_name(kind): (field.alias or name, kind) for kind in _kinds(field.annotation)}
    return found


def numbers(kind: type[BaseModel]) -> Iterator[tuple[Path, dict[str, Any]]]:
    """The path of each number in `kind`, and an object with nothing but that number and the keywords beside it."""
    for name, field in kind.model_fields.items():
        key = field.alias or name
        if any(part in (int, float) for part in _parts(field.annotation)):
            yield (key,), {key: 7}
        for inner in _kinds(field.annotation):
            for path, block in numbers(inner):
                filled = _keywords(inner) | block
                in_list = _is_list(field.annotation)
                yield (key, inner.__name__, *path) if in_list else (key, *path), {key: [filled] if in_list else filled}


def _keywords(kind: type[BaseModel]) -> dict[str, str]:
    """What says of which sort an object in a list is, and the model that the response names."""
    found = {"model": "m"} if "model" in kind.model_fields else {}
    for name, field in kind.model_fields.items():
        for part in _parts(field.annotation):
            if get_origin(part) is Literal and name != "model":
                found[field.alias or name] = get_args(part)[0]
    return found | ({"modality": "AUDIO"} if "modality" in kind.model_fields else {})


def _models(modules: Iterable[ModuleType]) -> Iterator[type[BaseModel]]:
    for module in modules:
        for inner in (module, *_submodules(module)):
            for value in vars(inner).values():
                if isinstance(value, type) and issubclass(value, BaseModel) and value.__module__ == inner.__name__:
                    yield value


def _submodules(module: ModuleType) -> Iterator[ModuleType]:
    """Those whose source names one of the fields: importing all of them takes many seconds."""
    for folder in map(FilePath, getattr(module, "__path__", ())):
        for file in sorted(folder.rglob("*.py")):
            if _NAMES_FIELD.search(file.read_text()):
                inner = file.relative_to(folder).with_suffix("").parts
                yield importlib.import_module(".".join((module.__name__, *inner)).removesuffix(".__init__"))


def _kinds(annotation: Any) -> list[type[BaseModel]]:
    return [part for part in _parts(annotation) if isinstance(part, type) and issubclass(part, BaseModel)]


def _is_list(annotation: Any) -> bool:
    return any(get_origin(part) is list for part in _unwrapped(annotation))


def _parts(annotation: Any) -> list[Any]:
    """The types that a value or an entry may have."""
    return [
        part
        for one in _unwrapped(annotation)
        for part in (_parts(get_args(one)[0]) if get_origin(one) is list else [one])
    ]


def _unwrapped(annotation: Any) -> list[Any]:
    if get_origin(annotation) is Annotated:
        return _unwrapped(get_args(annotation)[0])
    if get_origin(annotation) in (Union, UnionType):
        return [one for part in get_args(annotation) for one in _unwrapped(part)]
    return [] if annotation is NoneType else [annotation]


def _name(kind: type[BaseModel]) -> str:
    return f"{kind.__module__}.{kind.__name__}"
