"""From poems to an adapter: data set, recipe, training, report, export."""
