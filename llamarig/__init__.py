"""llamarig: from a bare host to a llama-server whose MTP speedup was proven on that host."""

__version__ = "0.1.0"
