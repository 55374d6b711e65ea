"""A thousand tasks with faults injected at random: ``make chaos``, or ``python -m benchmarks.chaos``."""
