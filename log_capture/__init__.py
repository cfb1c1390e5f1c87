"""Lines in, Firehose records out: tee → journal → lines → filters → render → pack → PutRecordBatch.

Knows lines, batches and Firehose; knows nothing of Lambda's lifecycle and reads no environment variable.
"""
