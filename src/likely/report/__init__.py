"""What a result looks like: one page, tables for a terminal, pictures."""

from typing import TYPE_CHECKING

from likely._lazy import lazy_face

if TYPE_CHECKING:
    from likely.report.page import write_report as write_report
    from likely.report.terminal import results_table as results_table

__all__, __getattr__, __dir__ = lazy_face(
    __name__,
    {
        "likely.report.page": ["write_report"],
        "likely.report.terminal": ["results_table"],
    },
)
