"""Everybody on the same rows: baselines, base model, adapter and fusions, with metrics and their intervals."""
