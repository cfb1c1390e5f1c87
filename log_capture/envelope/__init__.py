"""Entries of the journal as lines, and lines as the records of a batch. Pure."""
