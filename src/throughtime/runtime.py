"""How JAX is set up on this machine: one CPU device a core, each single-threaded, compilations kept.

Imported before anything that imports JAX, because these settings are read when its backend starts. A
setting the user already made (``XLA_FLAGS``, ``JAX_NUM_CPU_DEVICES``, ``jax.config``) is left alone.
``THROUGHTIME_CORES`` sets the number of cores, ``THROUGHTIME_CACHE`` the folder of the compilation cache
(``off`` for none).
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

EIGEN_FLAG = "--xla_cpu_multi_thread_eigen"


def available_cores() -> int:
    """Number of cores this process may use, or ``THROUGHTIME_CORES`` where that is set.

    Raises:
        ValueError: if ``THROUGHTIME_CORES`` is not a positive whole number.
    """
    wish = os.environ.get("THROUGHTIME_CORES")
    if wish is None:
        return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if not wish.isdigit() or int(wish) < 1:
        raise ValueError(f"THROUGHTIME_CORES: expected a positive whole number, got {wish!r}.")
    return int(wish)


def cache_folder() -> Path | None:
    """Folder of JAX's persistent compilation cache, or None where it is switched off."""
    wish = os.environ.get("THROUGHTIME_CACHE")
    if wish is not None:
        return None if wish in ("", "off", "0") else Path(wish)
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "throughtime" / "xla"


def _prepare() -> None:
    flags = os.environ.get("XLA_FLAGS", "")
    if EIGEN_FLAG not in flags:
        os.environ["XLA_FLAGS"] = f"{flags} {EIGEN_FLAG}=false".strip()
    if "jax" not in sys.modules:
        os.environ.setdefault("JAX_NUM_CPU_DEVICES", str(available_cores()))

    import jax
    import jaxlib

    if jaxlib.__version__ == "0.11.1":
        raise ImportError(
            "jaxlib 0.11.1 takes time quadratic in the number of steps for small circuits; "
            "install another version (pip install 'jax!=0.11.1' 'jaxlib!=0.11.1')."
        )
    folder = cache_folder()
    if folder is not None and getattr(jax.config, "jax_compilation_cache_dir", None) is None:
        jax.config.update("jax_compilation_cache_dir", str(folder))
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)


_prepare()
