"""The figures as tables of Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from benchmarks.closeness import closeness
from benchmarks.peers import OURS, PEERS
from benchmarks.results import Call, Limit, Made, Results, Row, Start, geometric_mean
from benchmarks.workloads import TYPES, WORKLOADS, workload

ORDER = {w.name: k for k, w in enumerate(WORKLOADS)}
GROUPS: tuple[tuple[str, tuple[str, ...]], ...] = (  # of the summary
    ("a, b, c", ("a", "b", "c")),
    *((name, (name,)) for name in ("d", "e", "f-tanh", "f-gelu", "g")),
)
SMALL = 32  # batches of which the comparison with PyTorch is shown


def line(row: Row) -> str:
    """A row in a line, the fastest first."""
    times = sorted(row.micros.items(), key=lambda item: item[1])
    ratio = row.ratio()
    return f"{row.what:>7}: {'' if ratio is None else f'{ratio:.2f} x; '}" + ", ".join(f"{name} {number(t)}" for name, t in times)


def rows(results: Results, what: str, threads: int) -> list[Row]:
    """The rows of a table, in the order of the workloads."""
    found = [row for row in results.of(Row) if (row.what, row.threads) == (what, threads)]
    return sorted(found, key=lambda row: (ORDER[row.workload], row.batch, TYPES.index(row.dtype)))


def summary(results: Results) -> str:
    """For one thread: how many times faster than the best peer, and than PyTorch's best at small batches."""
    lines: list[Sequence[str]] = []
    for title, names in GROUPS:
        found = [row for row in rows(results, "step", 1) if row.workload in names]
        ratios = [ratio for row in found if (ratio := row.ratio()) is not None]
        torch = [ratio for row in found if row.batch <= SMALL and (ratio := row.ratio("PyTorch")) is not None]
        if ratios:
            slowest = min(torch, default=None)
            lines.append((title, number(geometric_mean(ratios)), number(min(ratios)), number(max(ratios)), times(slowest)))
    return table(("Workload", "Geometric mean", "Lowest", "Highest", f"PyTorch, batch up to {SMALL}: lowest"), lines)


def steps(results: Results, what: str, threads: int) -> str:
    """Microseconds of everybody; the best peer's are bold. With more threads also how much faster we are than with one."""
    found = rows(results, what, threads)
    names = [p.name for p in PEERS[1:] if any(p.name in row.micros for row in found)]
    single = {row.key: row for row in rows(results, what, 1)}
    lines: list[Sequence[str]] = []
    for row in found:
        one = single.get((row.workload, row.batch, row.dtype, 1, what))
        faster = one.micros[OURS] / row.micros[OURS] if one and OURS in one.micros and OURS in row.micros else None
        best = row.best()
        cells = [f"**{number(t)}**" if name == best else number(t) if t else "-" for name in names for t in [row.micros.get(name, 0.0)]]
        own = number(row.micros[OURS]) if OURS in row.micros else "-"
        against = [times(row.ratio()), times(row.ratio("PyTorch"))] + ([times(faster)] if threads > 1 else [])
        lines.append((row.workload, str(row.batch), row.dtype, own, *against, *cells))
    extra = ["by one thread"] if threads > 1 else []
    return table(("", "Batch", "Type", "chainrule", "Best", "PyTorch", *extra, *names), lines)


def workloads() -> str:
    """What the letters mean."""
    return table(("", "Network", "Batches"), [(w.name, w.title, ", ".join(map(str, w.batches))) for w in WORKLOADS])


def peers(results: Results) -> str:
    """Who was measured, and how each is used."""
    seen = {name for row in results.of(Row) for name in row.micros}
    return table(("Name", "Library", "How"), [(f"`{p.name}`", p.family, p.title) for p in PEERS if p.name in seen])


def starts(results: Results) -> str:
    """Seconds to the end of the first step."""
    found = {(s.workload, s.peer, s.warm): s for s in results.of(Start)}
    lines: list[Sequence[str]] = []
    for name, peer in dict.fromkeys((s.workload, s.peer) for s in sorted(found.values(), key=lambda s: ORDER[s.workload])):
        cold, warm = found.get((name, peer, False)), found.get((name, peer, True))
        cells = ["-" if s is None else f"{s.seconds:.2f}" for s in (cold, warm)]
        parts = "" if warm is None else ", ".join(f"{part} {seconds:.2f}" for part, seconds in warm.parts.items())
        before = "" if cold is None else ", ".join(f"{part} {seconds:.2f}" for part, seconds in cold.parts.items())
        lines.append((name, f"`{peer}`", *cells, before, parts))
    return table(("", "Peer", "Cold", "Warm", "Parts, cold", "Parts, warm"), lines)


def made(results: Results) -> str:
    """Seconds to generate, compile and load the modules of the shipped networks."""
    lines: list[Sequence[str]] = []
    for each in sorted((m for m in results.of(Made) if "command" in m.seconds), key=lambda m: m.name):
        s = each.seconds
        compiled = (f"{s[f'{part}, cold']:.1f}" for part in ("train", "gradients", "predict"))
        loaded = (s["import"] + s["train"], s["import chainrule"] + s["generate"] + s["import"] + s["train"])
        lines.append((each.name, *(f"{s[part]:.2f}" for part in ("generate", "command")), *compiled, *(f"{x:.2f}" for x in loaded)))
    heads = ("", "Generate", "`chainrule generate`", "Compile `train`", "then `gradients`", "then `predict`", "Ready", "from the spec")
    return table(heads, lines)


def depths(results: Results) -> str:
    """Seconds to generate the modules of deeper and deeper networks."""
    found = sorted((int(m.name.split()[0]), m.seconds["generate"]) for m in results.of(Made) if "command" not in m.seconds)
    return table(("Layers", "Seconds", "Milliseconds a layer"), [(str(n), number(s), number(1e3 * s / n)) for n, s in found])


def calls(results: Results) -> str:
    """Microseconds of `gradients` called from Python."""
    found = sorted(results.of(Call), key=lambda c: (ORDER[c.workload], c.batch, TYPES.index(c.dtype)))
    lines = [(c.workload, str(c.batch), c.dtype, *_call(c)) for c in found]
    return table(("", "Batch", "Type", "`gradients`", "Kernel", "Difference", "+-"), lines)


def _call(c: Call) -> tuple[str, ...]:
    return number(c.gradients), number(c.kernel), f"{c.difference:.1f}", f"{c.within:.2g}"


def limits(results: Results) -> str:
    """What the machine can do, by the number of threads."""
    found = {limit.key: limit for limit in results.of(Limit)}
    counts = sorted({limit.threads for limit in found.values()})
    names = list(dict.fromkeys(limit.name for limit in found.values() if not limit.name.startswith("products ")))
    lines: list[Sequence[str]] = []
    for name in names:
        cells = [f"{number(found[name, t].value)} {found[name, t].unit}" if (name, t) in found else "-" for t in counts]
        lines.append((name, *cells))
    return table(("", *(f"{t} thread{'s' if t > 1 else ''}" for t in counts)), lines)


def close(results: Results, threads: int) -> str:
    """How close the steps come to the limits."""
    lines: list[Sequence[str]] = []
    for c in sorted(closeness(results), key=lambda c: (ORDER[c.row.workload], c.row.batch, TYPES.index(c.row.dtype))):
        row = c.row
        if row.threads == threads:
            alone = "-" if c.alone is None else number(c.alone)
            best = row.best()
            theirs = "-" if c.alone is None or best is None else times(row.micros[best] / c.alone)
            times_ = (number(c.ours), number(c.ours / row.batch * 1e3), number(c.products), alone, number(c.functions), number(c.memory))
            over = "-" if c.alone is None else times(c.ours / c.alone)
            lines.append((row.workload, str(row.batch), row.dtype, *times_, f"{100 * c.share:.0f} %", over, theirs))
    heads = (
        "us a step",
        "ns an example",
        "products at peak",
        "products alone",
        "functions",
        "memory",
        "share",
        "by products alone",
        "best peer's",
    )
    return table(("", "Batch", "Type", *heads), lines)


def scatter(results: Results) -> tuple[float, float] | None:
    """Half the distance between the quartiles of the rounds, in per cent of the median: in the middle of all figures, and in 9 of 10."""
    found = sorted(100 * value for row in results.of(Row) for value in row.spread.values())
    return (found[len(found) // 2], found[9 * len(found) // 10]) if found else None


def missing(results: Results) -> str:
    """Who failed, or does not fit, and why; each reason once, with the cases."""
    reasons: dict[tuple[str, str], dict[str, None]] = {}
    for row in (row for threads in (1, 2) for row in rows(results, "step", threads)):
        for peer, reason in row.missing.items():
            where = workload(row.workload).name if not reason.startswith("failed") else f"{row.workload} {row.batch} {row.dtype}"
            reasons.setdefault((peer, reason), {})[where] = None
    return "\n".join(f"- `{peer}`, {', '.join(where)}: {reason}" for (peer, reason), where in reasons.items())


def table(heads: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    """A table; empty when there are no lines. Numbers stand to the right."""
    body = list(lines)
    if not body:
        return ""
    right = [all(_numeric(line[k]) for line in body) for k in range(len(heads))]
    rule = ["---:" if r else "---" for r in right]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in (heads, rule, *body))


def number(value: float) -> str:
    """Three digits."""
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def times(ratio: float | None) -> str:
    """A ratio, if there is one."""
    return "-" if ratio is None else number(ratio)


def _numeric(text: str) -> bool:
    return all(character in "*-0123456789.e% " for character in text)
