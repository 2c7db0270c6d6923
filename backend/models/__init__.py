"""The base model and the adapters: where they come from, how they are checked, how they are loaded."""

from __future__ import annotations

import logging


def _is_worth_saying(record: logging.LogRecord) -> bool:
    return "gemm_4bit_forward" not in record.getMessage()


# bitsandbytes warns at its import that it found no kernel on a hub. This project doesn't use that kernel; the filter is
# here because any module of this package can be the one that imports bitsandbytes first, through PEFT or transformers.
logging.getLogger("bitsandbytes.backends.cpu.ops").addFilter(_is_worth_saying)
