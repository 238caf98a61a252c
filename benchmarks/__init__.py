"""One script a claim: each measures it, checks that everybody computed the same, and leaves a dated result.

    python -m benchmarks.NAME --help        # what it shows, and how to run it; from the repository root

Results lie in results/, one a claim and machine; `speed_page` writes the table of docs/speed.md from them.
"""

from pathlib import Path

RESULTS = Path(__file__).parent / "results"
DOCS = Path(__file__).parents[1] / "docs"
