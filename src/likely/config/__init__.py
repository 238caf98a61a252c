"""Every knob of a run: typed, checked, explained, and the presets."""
