"""A network's module, imported from a private folder where Numba keeps what it has compiled.

The folder is named after the module's content, belongs to the user alone (a compiled function is stored as a pickle, which runs code when
it is read), and is never needed: whatever goes wrong with it, the module is compiled without it, and a warning says so.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.abc
import importlib.util
import os
import stat
import sys
import tempfile
import warnings
from collections.abc import Iterable, Mapping
from functools import lru_cache
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar

from numba.core.caching import CompileResultCacheImpl, FunctionCache, InTreeCacheLocator
from numba.core.registry import CPUDispatcher

from codegen.render import render
from derive import differentiate
from derive.network import Network


class CacheWarning(UserWarning):
    """The cache of compiled functions cannot be used; everything works, but is compiled anew."""


def build(network: Network) -> ModuleType:
    """The module of a network, imported. Its functions are compiled when first called, or read from the cache.

    Warns (CacheWarning) when the cache folder cannot be used.
    """
    return load_module(network.name, render(differentiate(network.program()), network))


@lru_cache(maxsize=64)
def load_module(name: str, text: str) -> ModuleType:
    """A module from its text; the same text gives the same module."""
    try:
        path = _stored(name, text)
    except OSError as error:
        _warn(f"cannot keep compiled functions of {name}: {error}")
        return imported(name, text, f"<{name}>")
    module = imported(name, text, str(path))
    try:
        functions = {key: value for key, value in vars(module).items() if isinstance(value, CPUDispatcher)}
        for function in functions.values():
            # `enable_caching` would do, but its cache raises when a file in it is damaged or the disk is full
            function._cache = _cache(function, path, functions)  # pyright: ignore[reportPrivateUsage]
    except (OSError, RuntimeError) as error:  # Numba's own, where it cannot write into the folder
        _warn(f"cannot keep compiled functions of {name}: {error}")
    return module


def cache_folder() -> Path:
    """Where modules are kept: $XDG_CACHE_HOME/chainrule, or ~/.cache/chainrule. Raises OSError when neither is an absolute path.

    A relative path is ignored, as the XDG Base Directory Specification demands: it would mean another folder in every folder.
    """
    chosen = Path(os.environ.get("XDG_CACHE_HOME", ""))
    if not chosen.is_absolute():
        chosen = Path(os.path.expanduser("~")) / ".cache"
    if not chosen.is_absolute():
        raise FileNotFoundError("there is no home folder, and XDG_CACHE_HOME names no absolute path")
    return chosen / "chainrule"


# -- the folder ----------------------------------------------------------------------------------------------------------


def _stored(name: str, text: str) -> Path:
    """The file of a module's text in the cache, written if it is not there yet. Raises OSError if that cannot be done safely."""
    content = text.encode()
    base = cache_folder()
    base.parent.mkdir(parents=True, exist_ok=True)
    base = base.parent.resolve() / base.name
    _demand_safe(base.parents)
    folder = base / _digest(text)
    for each in (base, folder):
        each.mkdir(mode=0o700, exist_ok=True)
        _demand_private(each)
    _compiled(folder).mkdir(mode=0o700, exist_ok=True)
    _demand_own(folder, _compiled(folder))
    path = folder / f"{name}.py"
    if not path.is_file() or path.read_bytes() != content:
        _write(path, content)
    return path


def _demand_private(folder: Path) -> None:
    """Raise OSError unless a folder is the user's own and nobody else may use it."""
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode):
        raise NotADirectoryError(f"{folder} is not a folder")
    if hasattr(os, "getuid") and (found.st_uid != os.getuid() or stat.S_IMODE(found.st_mode) & 0o077):
        raise PermissionError(f"{folder} is open to other users, who may have put files into it (delete it, and it is made anew)")


def _demand_safe(folders: Iterable[Path]) -> None:
    """Raise OSError where another user than root could put something else in the place of what a folder holds."""
    for folder in folders:
        found = folder.lstat()
        shared = found.st_mode & 0o022 and not found.st_mode & stat.S_ISVTX
        if hasattr(os, "getuid") and (shared or found.st_uid not in (0, os.getuid())):
            raise PermissionError(f"other users may change {folder}")


def _demand_own(*folders: Path) -> None:
    """Raise OSError unless everything in some folders is the user's own."""
    for file in (f for folder in folders for f in folder.iterdir()):
        if hasattr(os, "getuid") and file.lstat().st_uid != os.getuid():
            raise PermissionError(f"{file} belongs to another user")


def _compiled(folder: Path) -> Path:
    """Where Numba keeps the compiled functions of a module in a folder."""
    return folder / "__pycache__"


def _write(path: Path, content: bytes) -> None:
    """Write a file so that others see it whole or not at all."""
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=path.name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        os.replace(name, path)
    except OSError:
        Path(name).unlink(missing_ok=True)
        raise


# -- importing -----------------------------------------------------------------------------------------------------------


class _Text(importlib.abc.ExecutionLoader):
    """Imports a module from its text; its path is where Numba keeps compiled functions."""

    def __init__(self, text: str, path: str) -> None:
        self.text, self.path = text, path

    def get_source(self, fullname: str) -> str:  # noqa: ARG002 (the names are those of importlib)
        return self.text

    def get_filename(self, fullname: str) -> str:  # noqa: ARG002
        return self.path


def imported(name: str, text: str, path: str) -> ModuleType:
    """A new module from its text, under a name of its own; `path` stands in tracebacks."""
    loader = _Text(text, path)
    unique = f"{name}_{_digest(text)[:16]}"
    spec = importlib.util.spec_from_loader(unique, loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[unique] = module  # a compiled function is stored with the name of its module, and found again by it
    loader.exec_module(module)
    return module


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _cache(function: CPUDispatcher, path: Path, functions: Mapping[str, CPUDispatcher]) -> _Cache:
    """The cache of one of a module's functions. Raises RuntimeError where Numba would keep it in another folder than the module's."""
    cache = _Cache(function, functions)
    if Path(cache.cache_path) != _compiled(path.parent):
        raise RuntimeError(f"Numba would keep them in {cache.cache_path} (NUMBA_CACHE_LOCATOR_CLASSES is set)")
    return cache


class _BesideTheModule(CompileResultCacheImpl):
    """Keeps compiled functions in the module's own folder alone: NUMBA_CACHE_DIR may name one that others can write to."""

    _locator_classes: ClassVar[list[type]] = [InTreeCacheLocator]
    functions: Mapping[str, CPUDispatcher]  # of the module, by name

    def reduce(self, cres: Any) -> tuple[object, object]:
        """What is kept: the functions of the module that the compiled one calls, by name and types, and what Numba keeps.

        What has become a part of its caller is not called, but may need threads that are started where it is read.
        """
        linked = {id(library) for library in cres.library._linking_libraries}
        held = {function.name for function in cres.library._final_module.functions}
        called = [
            (name, signature)
            for name, function in self.functions.items()
            for signature, each in function.overloads.items()
            if each.library is not cres.library
            and (each.fndesc.llvm_func_name in held or (each.reload_init and id(each.library) in linked))
        ]
        return called, super().reduce(cres)

    def rebuild(self, target_context: object, payload: Any) -> object:
        """The compiled function, after those that it calls.

        It holds copies of them that were compiled along with it, whose last bits may be others. Where a function was there before, the
        copy is not used: so it was when all of them were compiled, and so it must be when they are read, or training would have other bits.
        """
        called, kept = payload
        for name, signature in called:
            self.functions[name].compile(signature)
        return super().rebuild(target_context, kept)


class _Cache(FunctionCache):
    """Numba's cache of a function; a failure to read or write it costs time, nothing else."""

    _impl_class = _BesideTheModule

    def __init__(self, function: CPUDispatcher, functions: Mapping[str, CPUDispatcher]) -> None:
        super().__init__(function.py_func)
        self._impl.functions = functions

    def load_overload(self, sig: object, target_context: object) -> object:
        try:
            return super().load_overload(sig, target_context)
        except Exception as error:  # a damaged pickle may raise anything
            _warn(f"cannot read compiled functions in {cache_folder()}: {type(error).__name__}: {error}")
            self._forget()
            return None

    def save_overload(self, sig: object, data: object) -> None:
        try:
            super().save_overload(sig, data)
        except Exception as error:
            _warn(f"cannot keep compiled functions in {cache_folder()}: {type(error).__name__}: {error}")

    def _forget(self) -> None:
        """Empty the damaged cache, so that the next run has a good one."""
        with contextlib.suppress(OSError):
            self.flush()


def _warn(what: str) -> None:
    warnings.warn(f"{what}; compiling without the cache", CacheWarning, stacklevel=3)
