"""A picture as a Mermaid flowchart, which GitHub and Jupyter draw: nodes and edges have the names of the code."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from derive.documents.document import Name, Node, Picture, Shown

SHAPES = {"equation": ("[", "]"), "more": ("[", "]"), "target": ("[[", "]]")}  # anything else is round
STYLES = (
    "classDef value fill:#e8f0fa,stroke:#1f5fa8,color:#1d1f24",
    "classDef target fill:#e6f4e8,stroke:#2e7d32,color:#1d1f24",
    "classDef equation fill:#ffffff,stroke:#5d6470,color:#1d1f24",
)
CLASSES = {"equation": "equation", "more": "equation", "target": "target"}

ALMOST = "\N{ALMOST EQUAL TO}"
PLAIN = {
    r"\Vert \cdot \Vert \approx": "length " + ALMOST,
    r"\times": "\N{MULTIPLICATION SIGN}",
    r"\cdot": "\N{MULTIPLICATION SIGN}",
    "{": "",
    "}": "",
}


def mermaid(picture: Picture) -> str:
    """The source of the flowchart: values forward with solid arrows, gradients back with dashed ones."""
    return "\n".join(["flowchart TD", *(f"  {line}" for line in _lines(picture))])


def _lines(picture: Picture) -> Iterator[str]:
    keys = {node.key: f"n{k}" for k, node in enumerate(picture.nodes)}
    for node in picture.nodes:
        before, behind = SHAPES.get(node.role, ("([", "])"))
        yield f'{keys[node.key]}{before}"{_words(node)}"{behind}:::{CLASSES.get(node.role, "value")}'
    blue, orange = list[int](), list[int]()
    count = 0
    for edge in picture.edges:
        start, end = keys[edge.start], keys[edge.end]
        yield f"{start} -->{_beside(edge.forward)} {end}"
        blue.append(count)
        count += 1
        if edge.backward:
            yield f"{end} -.->{_beside(edge.backward)} {start}"
            orange.append(count)
            count += 1
    yield from STYLES
    for colour, places in (("#1f5fa8", blue), ("#c2570c", orange)):
        if places:
            yield f"linkStyle {','.join(map(str, places))} stroke:{colour}"


def _words(node: Node) -> str:
    if node.names:
        return _codes(node.names)
    group = f"{node.group}: " if node.group else ""
    value = f", {node.value.code}" if node.value else ""
    return escape(f"({node.number}) {group}{node.words}{value}" if node.number else node.words)


def _beside(names: Sequence[Name]) -> str:
    return f'|"{_codes(names)}"|' if names else ""


def _codes(names: Sequence[Name]) -> str:
    return ", ".join(escape(name.code + (_numbers(name.shown) if name.shown else "")) for name in names)


def _numbers(shown: Shown) -> str:
    """The numbers of a matrix as rows between brackets: [1, 2; 3, 4]."""
    if not shown.rows:
        return f": {_plain(shown.words)}"
    inside = "; ".join(", ".join(map(_plain, row)) for row in shown.rows)
    relation = "=" if shown.relation == "=" else ALMOST
    return f" {relation} [{inside}]" if shown.is_matrix else f" {relation} {inside}"


def _plain(latex: str) -> str:
    """A number as text: 1.5 \N{MULTIPLICATION SIGN} 10^7."""
    for command, text in PLAIN.items():
        latex = latex.replace(command, text)
    return latex


def escape(text: str) -> str:
    """Text within quotation marks: characters that Mermaid or HTML would read as their own are written by number."""
    return "".join(c if c.isascii() and (c.isalnum() or c in " ,.:()-_+") else f"#{ord(c)};" for c in text)
