"""Where models and ratings come from: a catalogue, downloads, GGUF files, and invented ones."""
