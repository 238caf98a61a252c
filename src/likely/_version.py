"""The version of the installed package; apart from the face, because to read it takes longer than to import that."""

from importlib.metadata import version

__version__ = version("likely")
