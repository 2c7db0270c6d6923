"""The page: what ties Chainlit to the conversation. Nothing below this package imports Chainlit."""
