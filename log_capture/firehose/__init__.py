"""Amazon Data Firehose's PutRecordBatch, by a client of our own or by boto3."""
