"""Makes this process ready to run a model; `cli` calls it before any verb that does."""

import logging
import os
import warnings


def ready_process() -> None:
    """Keep memory for reuse, and silence the bars and notices of libraries; ours say what a user needs."""
    import transformers

    from likely.memory import keep_freed_memory

    keep_freed_memory()
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "true")
    transformers.utils.logging.disable_progress_bar()
    transformers.utils.logging.set_verbosity_error()
    for name in ("huggingface_hub", "bitsandbytes"):
        logging.getLogger(name).setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", category=FutureWarning)
