"""What is measured about Moyun: speed here; style and metre beside it."""
