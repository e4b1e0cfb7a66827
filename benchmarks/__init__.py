"""skgd beside its peers: problems, peers, and what is measured. `python -m benchmarks --list`."""
