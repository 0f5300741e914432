"""What the CPU plan asks of the processor: whether NumPy and its BLAS compute with vectors of 16 numbers.

The answer changes how the plan computes, never what: see squash.py and ops.py. It depends on the
processor and on NumPy alone, so that the same machine gives the same bytes.
"""

from __future__ import annotations

from functools import lru_cache

WIDE = ("AVX512", "X86_V4")
"""How the names of NumPy's instruction sets with such vectors begin."""


@lru_cache(maxsize=1)
def has_wide_vectors() -> bool:
    """Whether NumPy runs its float32 tanh on AVX-512; False where it does not say (before NumPy 2)."""
    try:
        from numpy.lib.introspect import opt_func_info
    except ImportError:
        return False
    kinds = opt_func_info("^tanh$", "float32").get("tanh", {})
    return any(str(kind.get("current", "")).startswith(WIDE) for kind in kinds.values())
