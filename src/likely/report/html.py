"""The frame of `html_report`: its style sheet and the few pieces of HTML that everything on it is made of.

All text that comes from a user, a file or a movie goes through :func:`escape`. The page fetches nothing.
"""

import html

STYLE = """
:root {
  color-scheme: light dark;
  --paper: #fdfdfc; --ink: #1d2125; --muted: #5c656e; --rule: #dfe2e5; --shade: #f3f4f4;
  --adapter: #1f5f99; --base: #80519a; --baseline: #b4500f; --fusion: #23715a;
  --liked: #23715a; --other: #b4500f; --training: #6f7881; --evaluation: #1f5f99;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #15181b; --ink: #e4e7ea; --muted: #9ba5ae; --rule: #31373d; --shade: #1d2125;
    --adapter: #7db8f2; --base: #cba2e0; --baseline: #f2a36b; --fusion: #74cfae;
    --liked: #74cfae; --other: #f2a36b; --training: #9ba5ae; --evaluation: #7db8f2;
  }
}
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; text-size-adjust: 100%; }
body {
  margin: 0; background: var(--paper); color: var(--ink);
  font: 1rem/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif;
  overflow-wrap: anywhere;
}
main { max-width: 72rem; margin: 0 auto; padding: 2.5rem 1.25rem 4rem; }
h1 { font-size: 1.9rem; line-height: 1.2; margin: 0; font-weight: 650; letter-spacing: -0.01em; }
h2 { font-size: 1.25rem; line-height: 1.3; margin: 3rem 0 0.75rem; font-weight: 650; }
h3 { font-size: 1rem; margin: 0 0 0.25rem; font-weight: 600; }
p { margin: 0 0 0.75rem; max-width: 44rem; }
.made { color: var(--muted); margin: 0.35rem 0 0; }
.summary { border-left: 3px solid var(--adapter); padding-left: 1.1rem; margin: 1.75rem 0 0; }
.summary .lead { font-size: 1.2rem; line-height: 1.5; }
.summary p:last-child { margin-bottom: 0; }
.note, figcaption, small { color: var(--muted); }
.note, figcaption { font-size: 0.875rem; line-height: 1.5; }
.note { margin: 0.6rem 0 0; }
.scroll {
  overflow-x: auto; max-width: 100%; background:
    linear-gradient(to right, var(--paper) 50%, transparent) left / 3rem 100% no-repeat local,
    linear-gradient(to left, var(--paper) 50%, transparent) right / 3rem 100% no-repeat local,
    linear-gradient(to right, var(--rule), transparent) left / 1rem 100% no-repeat scroll,
    linear-gradient(to left, var(--rule), transparent) right / 1rem 100% no-repeat scroll;
}
.scroll:focus-visible, summary:focus-visible { outline: 2px solid var(--adapter); outline-offset: 2px; }
table {
  border-collapse: separate; border-spacing: 0; font-size: 0.9rem; font-variant-numeric: tabular-nums;
  overflow-wrap: normal;
}
th, td { padding: 0.45rem 0.55rem; text-align: left; vertical-align: top; }
tbody > tr > * { border-top: 1px solid var(--rule); }
tbody > tr:last-child > * { border-bottom: 1px solid var(--rule); }
thead th { font-weight: 500; color: var(--muted); vertical-align: bottom; line-height: 1.35; white-space: nowrap; }
tbody th { font-weight: 500; }
td small, th small { display: block; font-size: 0.83em; font-weight: 400; white-space: nowrap; }
.contest { min-width: 100%; }
.contest th:first-child {
  position: sticky; left: 0; z-index: 1; background: var(--paper); min-width: 8.5rem; max-width: 14rem;
  overflow-wrap: anywhere;
}
.contest th, .contest td { padding-left: 0.4rem; padding-right: 0.4rem; }
.contest th:first-child { padding-left: 0; }
.contest tr.adapter > *, .contest tr.adapter th:first-child { background: var(--shade); }
.contest tr.adapter th:first-child { padding-left: 0.4rem; }
.adapter { --mark: var(--adapter); } .base { --mark: var(--base); }
.baseline { --mark: var(--baseline); } .fusion { --mark: var(--fusion); }
.liked { --mark: var(--liked); } .other { --mark: var(--other); }
.training { --mark: var(--training); } .evaluation { --mark: var(--evaluation); }
svg { display: block; color: inherit; }
svg text { fill: currentColor; }
.axis text { font-size: 11px; }
.bar { margin-top: 0.1rem; }
.bar circle { fill: var(--mark); }
.bar .interval { stroke: var(--mark); stroke-width: 2; stroke-linecap: round; opacity: 0.75; }
.bar .zero { stroke: currentColor; opacity: 0.4; }
.figures { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 20.5rem), 1fr)); gap: 2rem; }
figure { margin: 0; max-width: 30rem; }
figure svg { width: 100%; height: auto; margin: 0.25rem 0; }
figure svg * { stroke-linejoin: round; }
.legend { list-style: none; margin: 0.25rem 0; padding: 0; display: flex; flex-wrap: wrap; gap: 0 1.1rem; }
.legend { font-size: 0.875rem; }
.legend li { display: flex; align-items: center; gap: 0.4rem; }
.legend svg { width: 26px; height: 8px; flex: none; margin: 0; }
.legend svg { stroke: var(--mark); fill: var(--mark); stroke-width: 2; }
.legend .liked svg, .legend .other svg { width: 12px; stroke-width: 8; }
.mistakes {
  list-style: none; margin: 0; padding: 0; display: grid; gap: 1.25rem 2rem;
  grid-template-columns: repeat(auto-fill, minmax(min(100%, 20.5rem), 1fr));
}
.mistakes li { border-top: 1px solid var(--rule); padding-top: 0.6rem; }
.mistakes p { margin: 0 0 0.35rem; }
.mistakes .line { display: block; color: var(--muted); font-size: 0.875rem; line-height: 1.45; unicode-bidi: isolate; }
.mistakes .line { padding-left: 0.8em; text-indent: -0.8em; }
.mistakes .candidate { color: var(--ink); font-weight: 600; }
details { margin: 0 0 1rem; }
summary { cursor: pointer; font-weight: 500; }
pre {
  margin: 0.75rem 0 0; padding: 0.9rem 1rem; background: var(--shade); font-size: 0.8125rem; line-height: 1.5;
  font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace; overflow-wrap: normal;
}
@media (max-width: 40rem) {
  main { padding: 1.5rem 1rem 3rem; }
  h1 { font-size: 1.5rem; }
  h2 { margin-top: 2.25rem; }
  .summary .lead { font-size: 1.0625rem; }
  .contest th:first-child { max-width: 9rem; }
}
@media print {
  :root {
    color-scheme: light;
    --paper: #fff; --ink: #000; --muted: #444; --rule: #bbb; --shade: #f3f3f3;
    --adapter: #1f5f99; --base: #80519a; --baseline: #b4500f; --fusion: #23715a; --liked: #23715a; --other: #b4500f;
    --training: #6f7881; --evaluation: #1f5f99;
  }
  body { font-size: 10pt; }
  main { max-width: none; padding: 0; }
  h2, h3, section > p { break-after: avoid; }
  figure, tr, .mistakes li { break-inside: avoid; }
  .scroll { overflow: visible; }
  .contest { font-size: 7pt; }
  .contest th, .contest td { padding: 0.2rem; }
  .contest th:first-child { min-width: 0; max-width: 8rem; }
  .contest .bar, .contest .axis { width: 100px; height: auto; }
  pre { white-space: pre-wrap; }
  details::details-content { content-visibility: visible; block-size: auto; }
}
"""

DASHES = {
    "adapter": "",
    "base": "6 3",
    "baseline": "1.5 3",
    "fusion": "6 3 1.5 3",
    "liked": "",
    "other": "",
    "training": "",
    "evaluation": "",
}
"""How lines differ for those who cannot tell their colours apart: lengths of dashes and gaps in pixels."""

SYMBOLS = {
    "adapter": '<circle cx="13" cy="4" r="2.5"/>',
    "base": '<rect x="10.5" y="1.5" width="5" height="5"/>',
    "baseline": '<path d="M13 1 16 4 13 7 10 4Z"/>',
}
"""Where there are only dots, they differ in shape."""


def escape(text: str) -> str:
    """Return text that HTML shows as it is, in content and in quoted attributes; half characters become `?`."""
    return html.escape(text.encode("utf-8", "replace").decode("utf-8"))


def page(title: str, body: str) -> str:
    """Return a whole page; `title` is plain text, `body` is HTML."""
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{STYLE}</style>\n</head>\n"
        f"<body>\n<main>\n{body}\n</main>\n</body>\n</html>\n"
    )


def section(heading: str, body: str) -> str:
    """Return a section; `heading` is plain text, `body` is HTML."""
    return f"<section>\n<h2>{escape(heading)}</h2>\n{body}\n</section>"


def figure(heading: str, svg: str, caption: str, legend: str = "") -> str:
    """Return a drawing with its heading and caption, both plain text, and a legend made by :func:`legend_of`."""
    return f"<figure>\n<h3>{escape(heading)}</h3>\n{svg}\n{legend}<figcaption>{escape(caption)}</figcaption>\n</figure>"


def legend_of(names: list[tuple[str, str]], symbols: bool = False) -> str:
    """Return a legend of (kind, name) pairs, the name plain text; kinds are those of `DASHES`, or of `SYMBOLS`."""
    items = "".join(
        f'<li class="{kind}"><svg viewBox="0 0 26 8" aria-hidden="true">'
        f"{SYMBOLS[kind] if symbols else _sample(kind)}</svg><span>{escape(name)}</span></li>"
        for kind, name in names
    )
    return f'<ul class="legend">{items}</ul>\n'


def _sample(kind: str) -> str:
    dashes = f' stroke-dasharray="{DASHES[kind]}"' if DASHES[kind] else ""
    return f'<line x1="1" x2="25" y1="4" y2="4"{dashes}/>'


def scrolling(content: str, label: str) -> str:
    """Return HTML in a container that scrolls sideways by itself, with the keyboard too."""
    return f'<div class="scroll" role="region" aria-label="{escape(label)}" tabindex="0">\n{content}\n</div>'
