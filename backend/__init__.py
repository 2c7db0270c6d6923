"""Moyun (墨韵): a chat with Chinese poets on one 4-bit model and any number of LoRA adapters."""
