"""What the libraries below pandas read of the environment when they are loaded; it loads none of them itself."""

from __future__ import annotations

from collections.abc import MutableMapping

PREFERRED = {
    # No linear algebra is done here; threads that wait for some take 0.3 of the 9 CPU seconds of a million enrollments.
    "OPENBLAS_NUM_THREADS": "1",
    # Arrow's allocator: a huge page is cleared whole for the little that is needed of it, and memory that was given
    # back is cleared again when it is taken again. Another 0.6 s; at ten million rows 100 to 200 MiB more are held.
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
