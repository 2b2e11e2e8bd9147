"""Trying again what may pass by itself: errors of the network and of remote file systems, with back-off."""

from __future__ import annotations

import errno
import logging
import random
import time
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

log = logging.getLogger(__name__)

T = TypeVar("T")
TRIES = 4
FIRST_DELAY_S = 0.2
_PERMANENT = frozenset(
    {
        *(errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.ENOENT, errno.EEXIST),
        *(errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG, errno.EINVAL, errno.EMFILE, errno.ENFILE, errno.EINTR),
    }
)


def is_transient(error: BaseException) -> bool:
    """Say whether an operating system's or network's error may pass by itself."""
    return (
        isinstance(error, OSError)
        and not isinstance(error, (InterruptedError, PermissionError, FileNotFoundError))
        and error.errno not in _PERMANENT
    )


def retrying(what: str, work: Callable[[], T]) -> T:
    """Do some work, up to four times as long as what fails may pass by itself: after 0.2, 0.4 and 0.8 s, and some.

    ``work`` must be safe to repeat.

    Raises
    ------
    OSError
        The last error.
    """
    for attempt in range(1, TRIES):
        try:
            return work()
        except OSError as error:
            if not is_transient(error):
                raise
            delay = FIRST_DELAY_S * 2 ** (attempt - 1) * random.uniform(1, 1.5)  # noqa: S311  # no secret
            log.warning("%s failed (%s: %s); trying again in %.1f s", what, type(error).__name__, error, delay)
            time.sleep(delay)
    return work()
