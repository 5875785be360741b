"""Default widths of codes: one rule for narrow codes, one for wide ones."""

from anomalo.plugin import Layout


def narrow_code(layout: Layout) -> int:
    """Return a third of the columns, 2 to 16, and fewer than there are."""
    columns = len(layout.blocks)
    return max(1, min(16, columns - 1, max(2, columns // 3)))


def wide_code(layout: Layout) -> int:
    """Return four times the columns, 32 to 256."""
    return min(256, max(32, 4 * len(layout.blocks)))
