"""What a result looks like: one page, tables and drawings for a terminal, pictures of both.

Takes evaluations, a run's folder and records; everything it gives is text, HTML or SVG for a person.
"""
