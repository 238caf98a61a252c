"""What makes many small trainings cheap."""

from quick_garbage import libraries_are_no_garbage  # noqa: F401
