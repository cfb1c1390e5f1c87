"""Batches to a service that takes them: when, how often, and what becomes of those that it refuses."""
