"""`likely`: finetune a small language model to answer *will this user like this movie?*"""

__version__ = "0.1.0"
