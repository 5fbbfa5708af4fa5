"""References to equations that a document does not number: their numbers alone, since a link would lead nowhere."""

from __future__ import annotations

from collections.abc import Set
from dataclasses import replace

from derive.documents.document import Block, Document, Formula, Items, Paragraph, Ref, Table, Text


def with_known_references(document: Document) -> Document:
    """The document with the number in place of every reference to an equation that it shows without one, as a page of results does."""
    known = {block.number for section in document.sections for block in section.blocks if isinstance(block, Formula)}
    sections = [replace(s, title=_text(s.title, known), blocks=tuple(_block(b, known) for b in s.blocks)) for s in document.sections]
    return replace(document, sections=tuple(sections))


def _block(block: Block, known: Set[str]) -> Block:
    match block:
        case Paragraph():
            return Paragraph(_text(block.text, known))
        case Items():
            return Items(tuple(_text(item, known) for item in block.items))
        case Table():
            return replace(block, rows=tuple(tuple(_text(cell, known) for cell in row) for row in block.rows))
        case Formula():
            rows = tuple(replace(row, note=_text(row.note, known)) for row in block.rows)
            return replace(block, rows=rows, code=_text(block.code, known))
        case _:
            return block


def _text(text: Text, known: Set[str]) -> Text:
    return tuple(f"({part.number})" if isinstance(part, Ref) and part.number not in known else part for part in text)
