"""Articles per day as a small bar chart: SVG to stand within a page, in the page's own colours."""

from collections.abc import Sequence
from html import escape

STEP, WIDTH, HEIGHT = 8, 6, 40  # of a bar, in the drawing's own units


def bars(counts: Sequence[tuple[str, int]], label: str) -> str:
    """One bar for each (day, articles), oldest first; a day without articles keeps a line of its own height."""
    most = max((count for _, count in counts), default=0) or 1
    drawn = []
    for i, (day, count) in enumerate(counts):
        height = max(1.0, round(count / most * HEIGHT, 1)) if count else 1.0
        kind = "" if count else ' class="none"'
        drawn.append(
            f'<rect{kind} x="{i * STEP}" y="{HEIGHT - height:g}" width="{WIDTH}" height="{height:g}">'
            f"<title>{escape(day)}: {count}</title></rect>"
        )
    size = f"0 0 {max(1, len(counts)) * STEP - (STEP - WIDTH)} {HEIGHT}"
    shape = f'viewBox="{size}" preserveAspectRatio="xMinYMax"'
    return f'<svg role="img" aria-label="{escape(label)}" {shape}>{"".join(drawn)}</svg>'
