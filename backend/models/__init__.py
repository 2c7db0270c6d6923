"""The base model and the adapters: where they come from, how they are checked, how they are loaded."""
