"""A finished run behind HTTP: `app` answers requests, `line` lays out together those that wait together."""
