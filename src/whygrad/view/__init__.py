"""The page: one JSON document from Python, and a viewer that shows it in a file, a notebook or from a server."""
