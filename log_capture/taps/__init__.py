"""What the function writes, where it writes it: the standard streams, their descriptors, child processes."""
