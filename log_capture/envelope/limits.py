"""What one record and one batch may hold: the limits of Data Firehose.

"The API reference" is https://docs.aws.amazon.com/firehose/latest/APIReference/API_PutRecordBatch.html
"""

#: "Each PutRecordBatch request supports up to 500 records" (API reference).
MAX_BATCH_RECORDS = 500

#: "up to a limit of 4 MB for the entire request" (API reference), 4 MiB in the quotas page, before base64 as far as
#: evidence goes. A choice a little below, so that no reading of the sentence can be violated.
MAX_BATCH_BYTES = 4_000_000

#: "The maximum size of a record sent to Amazon Data Firehose, before base64-encoding, is 1,000 KiB" (quotas page).
MAX_RECORD_BYTES = 1_024_000
