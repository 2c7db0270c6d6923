"""The corpus: Tang and Song poems and ci, fetched by a command, cleaned, and searched in one SQLite file."""
