"""The sections by their names."""

from benchmarks.gpu_acceptance.environment import env
from benchmarks.gpu_acceptance.exactness import exact
from benchmarks.gpu_acceptance.memory import memory
from benchmarks.gpu_acceptance.profile import profile
from benchmarks.gpu_acceptance.speed import speed
from benchmarks.gpu_acceptance.trl import trl

RUN = {"env": env, "exact": exact, "speed": speed, "memory": memory, "profile": profile, "trl": trl}
