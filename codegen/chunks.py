"""A batch of many examples in chunks, one after the other or by several threads: functions of the module, with the same bits either way."""

from __future__ import annotations

from collections.abc import Collection

from codegen.blocks import CHUNK
from codegen.functions import Function, fitted
from codegen.lines import INDENT
from codegen.views import Size

INNER = "no_cpython_wrapper=True, no_cfunc_wrapper=True"  # Python does not call it: compiling what would let it takes as long again


def chunk_functions(name: str, batch: Function, data: Collection[str], size: int) -> list[Function]:
    """For one chunk, for all by threads, and for a batch in chunks.

    batch: the function for some of the examples; data: what the caller gives for every example; size: the entries of the gradient.
    """
    given = {a: t for a, t in batch.arguments.items() if a in (*data, "start") or (t == "Array" and a != "gradient")}
    given = {"theta": "Array", **given, "start": "int", "N": "int", "chunks": "Array", "parts": "Array"}
    one = Function(
        f"{name}_chunk",
        f"{name}_batch for the k-th {CHUNK} of the N examples from `start` on; results below the normal numbers are zero.",
        {**given, "k": "int"},
        "None",
        _chunk(batch),
        Size(),
        INNER,
    )
    loop = [f"for k in prange((N + {CHUNK - 1}) // {CHUNK}):", f"{INDENT}{one.call({})}"]
    threads = Function(f"{name}_by_threads", "All chunks, by several threads.", given, "None", _inside(loop), Size(), "parallel=True")
    purpose = (
        f"{name}_batch, {CHUNK} of the N examples from `start` on at a time.\n\n"
        f"{INDENT}chunks take the derivatives, parts the losses. All are added in one order, whatever the number of threads.\n"
        f"{INDENT}One thread needs none of Numba's, which fail in a forked process and for two threads of Python at once.\n{INDENT}"
    )
    arguments = {a: t for a, t in given.items() if a not in ("chunks", "parts")}
    arguments = {**arguments, "gradient": "Array", "chunks": "Array", "parts": "Array"}
    return [one, threads, Function(f"{name}_chunks", purpose, arguments, "float", _inside(_all(one, threads, size)), Size())]


def _chunk(batch: Function) -> list[str]:
    call = batch.call({"start": "start + first", "stop": f"start + min(first + {CHUNK}, N)", "gradient": "chunks[k]"})
    statement = fitted(f"{INDENT}parts[k] = {call}").split("\n")
    before = [f"first = {CHUNK} * k", "settings = _flush_subnormals()"]
    return [*_inside(before), *statement, *_inside(["_restore(settings)"])]


def _all(one: Function, threads: Function, size: int) -> list[str]:
    return [
        f"count = (N + {CHUNK - 1}) // {CHUNK}",
        "if _threads() > 1:",
        f"{INDENT}{threads.call({})}",
        "else:",
        f"{INDENT}for k in range(count):",
        f"{INDENT * 2}{one.call({})}",
        "total = 0.0",
        f"for p in range({size}):",
        f"{INDENT}gradient[p] = 0",
        "for k in range(count):",
        f"{INDENT}total += parts[k]",
        f"{INDENT}for p in range({size}):",
        f"{INDENT * 2}gradient[p] += chunks[k, p]",
        "return total",
    ]


def _inside(lines: list[str]) -> list[str]:
    return [INDENT + line for line in lines]
