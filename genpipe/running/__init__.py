"""Running the graph: what stages and commands share."""
