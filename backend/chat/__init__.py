"""A conversation with a poet: what the writer asks for, how it is put to the model, and what is remembered."""
