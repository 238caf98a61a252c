"""Ratings become records, without leaks from the future; records on disk."""
