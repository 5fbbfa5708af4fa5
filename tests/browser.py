"""Headless Chromium: pages measured as a browser lays them out, and pictures of them."""

from __future__ import annotations

import html
import json
import re
import shutil
import struct
import subprocess
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

CHROMIUM = next((found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))), None)
OPTIONS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--host-resolver-rules=MAP * ~NOTFOUND",  # no network
)
MEASURE = """
<script>
const box = e => { const r = e.getBoundingClientRect(); return [r.left, r.top, r.right, r.bottom]; };
window.addEventListener("load", () => {
  const found = [...document.querySelectorAll("iframe")].map(frame => {
    const page = frame.contentDocument, root = page.documentElement;
    return {
      client: root.clientWidth, scroll: Math.max(root.scrollWidth, page.body.scrollWidth), text: page.body.innerText,
      equations: [...page.querySelectorAll(".equation[id]")].map(e => [e.id, ...box(e.querySelector("math"))]),
      outside: [...page.querySelectorAll("body *")].filter(e => !e.closest(".scroll") && box(e)[2] > root.clientWidth + 1).length,
      flat: [...page.querySelectorAll("main math")].filter(e => box(e)[2] <= box(e)[0] || box(e)[3] <= box(e)[1]).length,
      unknown: [...page.querySelectorAll("math *")].filter(e => e.constructor === Element).map(e => e.localName),
      dead: [...page.querySelectorAll('a[href^="#"]')].filter(a => !page.getElementById(a.hash.slice(1))).map(a => a.hash),
      repeated: [...page.querySelectorAll("[id]")].map(e => e.id).filter((id, k, all) => all.indexOf(id) !== k),
      elements: page.querySelectorAll("script, link, img, iframe, object").length,
      sizes: [...page.querySelectorAll("main p, main li, .note")].map(e => parseFloat(getComputedStyle(e).fontSize)),
    };
  });
  const out = document.createElement("pre");
  out.id = "measured";
  out.textContent = JSON.stringify(found);
  document.body.append(out);
});
</script>
"""


def measured(pages: Sequence[tuple[str, int]], folder: Path) -> list[dict[str, Any]]:
    """What a browser makes of each page in a window of its width: extents, the text that is seen, the places of the equations."""
    frame = '<iframe width="{}" height="900" style="border:0" srcdoc="{}"></iframe>'
    frames = "".join(frame.format(width, html.escape(page)) for page, width in pages)
    wrapper = folder / "measure.html"
    wrapper.write_text(f'<!DOCTYPE html><meta charset="utf-8">{MEASURE}<body>{frames}</body>', encoding="utf-8")
    done = _run(["--dump-dom", wrapper.as_uri()], folder)
    found = re.search(r'<pre id="measured">(.*?)</pre>', done, re.DOTALL)
    assert found is not None, done[-500:]
    return json.loads(html.unescape(found[1]))


def screenshot(page: str, width: int, height: int, folder: Path, *, dark: bool = False) -> npt.NDArray[np.uint8]:
    """The picture of a page, [height, width, 3]."""
    source, picture = folder / "page.html", folder / "page.png"
    source.write_text(page, encoding="utf-8")
    mode = ["--blink-settings=preferredColorScheme=0"] if dark else []
    _run([*mode, f"--window-size={width},{height}", f"--screenshot={picture}", source.as_uri()], folder)
    return png(picture.read_bytes())


def _run(arguments: list[str], folder: Path) -> str:
    assert CHROMIUM is not None
    command = [CHROMIUM, *OPTIONS, f"--user-data-dir={folder / 'profile'}", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout


def png(content: bytes) -> npt.NDArray[np.uint8]:
    """The pixels of a PNG of 8 bits a channel, without its transparency."""
    chunks: dict[bytes, bytes] = {}
    at = 8
    while at < len(content):
        (length,) = struct.unpack(">I", content[at : at + 4])
        kind = content[at + 4 : at + 8]
        chunks[kind] = chunks.get(kind, b"") + content[at + 8 : at + 8 + length]
        at += 12 + length
    width, height, depth, colour = struct.unpack(">IIBB", chunks[b"IHDR"][:10])
    assert depth == 8
    channels = {2: 3, 6: 4}[colour]
    raw = np.frombuffer(zlib.decompress(chunks[b"IDAT"]), np.uint8).reshape(height, 1 + width * channels)
    rows: list[npt.NDArray[np.uint8]] = []
    above = np.zeros(width * channels, np.uint8)
    for line in raw:
        above = _unfiltered(int(line[0]), line[1:], above, channels)
        rows.append(above)
    return np.stack(rows).reshape(height, width, channels)[:, :, :3]


def _unfiltered(kind: int, line: npt.NDArray[np.uint8], above: npt.NDArray[np.uint8], channels: int) -> npt.NDArray[np.uint8]:
    """A line of a PNG without its filter (PNG specification, section 9)."""
    if kind == 0:
        return line.copy()
    if kind == 2:
        return line + above
    done, up = [0] * len(line), above.tolist()
    for k, x in enumerate(line.tolist()):
        left = done[k - channels] if k >= channels else 0
        corner = up[k - channels] if k >= channels else 0
        predicted = left if kind == 1 else (left + up[k]) // 2 if kind == 3 else _paeth(left, up[k], corner)
        done[k] = (x + predicted) % 256
    return np.array(done, np.uint8)


def _paeth(left: int, up: int, corner: int) -> int:
    estimate = left + up - corner
    return min((abs(estimate - left), 0, left), (abs(estimate - up), 1, up), (abs(estimate - corner), 2, corner))[2]
