"""The test suites of libraries that live on streams, processes and signals: `make suites`."""
