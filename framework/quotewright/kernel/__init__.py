"""The hot path: one Python source each, compiled where a build made binaries. See ``docs/kernels.md``."""
