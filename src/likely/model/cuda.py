"""What CUDA has to be told before a model runs on it; nothing of it changes an answer, and a CPU needs none of it.

`training` and `inference` ask before they look around, and `base` before it loads. docs/speed.md says why each of
these is so.
"""

import os


def ready_cuda() -> bool:
    """Take this process's GPU and choose among torch's attentions, where there is CUDA.

    The GPU is the one that `torchrun` gives a process by LOCAL_RANK; all of them would take the first one otherwise.
    A process that nobody started so keeps its current device.

    cuDNN's attention is torch's first choice on Hopper, and plans anew for every new shape, of which trees have many.

    Returns:
        Whether there is CUDA.
    """
    import torch

    if not torch.cuda.is_available():
        return False
    if "LOCAL_RANK" in os.environ:
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]) % torch.cuda.device_count())
    torch.backends.cuda.enable_cudnn_sdp(False)
    return True
