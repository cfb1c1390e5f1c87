"""What every room needs to live in somebody else's process: locks, descriptors, threads."""
