"""HTTP/1.1 over one kept connection."""
