"""What the libraries below pandas read of the environment when they are loaded; it loads none of them itself."""

from __future__ import annotations

from collections.abc import MutableMapping

PREFERRED = {
    # No linear algebra is done here, and a thread for each core that waits for some takes 0.3 s of a core.
    "OPENBLAS_NUM_THREADS": "1",
    # Arrow's allocator: a huge page is cleared whole for the little that is needed of it, memory given back is cleared
    # again when it is taken again. Together 0.5 s of 9 CPU seconds at a million enrollments.
    "MIMALLOC_ALLOW_THP": "0",
    "MIMALLOC_PURGE_DELAY": "10000",  # milliseconds
}
"""Names and values, all measured."""


def prefer(environ: MutableMapping[str, str]) -> None:
    """Put what is preferred into the environment of this process, where nobody has decided otherwise.

    To be called before numpy and pyarrow are imported; worker processes inherit it.
    """
    for name, value in PREFERRED.items():
        environ.setdefault(name, value)
