"""A finished run as a model for other programs: merged weights for transformers, one GGUF file for llama.cpp, the hub.

`cli.export` calls it. Whatever is written has been compared with the adapter before it gets its name.
"""
