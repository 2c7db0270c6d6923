"""``python -m backend.cli``: the same as ``moyun``, where the package isn't installed."""

import sys

from backend.cli import main

sys.exit(main())
