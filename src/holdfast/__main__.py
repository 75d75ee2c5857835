"""The command ``holdfast``, also as ``python -m holdfast``."""

from __future__ import annotations

import gc

# A command lives for a moment and makes few cycles: looking for them during the imports takes a third of its start.
gc.set_threshold(100_000)

from holdfast.cli.main import main  # noqa: E402

if __name__ == "__main__":
    main()
