"""How the commands in ``scripts`` end."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import NoReturn


def leave(main: Callable[[], int]) -> NoReturn:
    """Exit with what ``main`` returns; quietly with 141, as after SIGPIPE, when its reader has gone (``| head``)."""
    try:
        try:
            code = main()
        finally:
            sys.stdout.flush()
    except BrokenPipeError:
        # What is still buffered has no reader either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 141
    sys.exit(code)
