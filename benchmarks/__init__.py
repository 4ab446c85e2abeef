"""whygrad measured against its peers: `python -m benchmarks` from the repository's root."""
