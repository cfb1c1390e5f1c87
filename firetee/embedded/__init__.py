"""Services of AWS in this process, for `firetee local` and the demo: Firehose with a folder in the place of S3
(`firehose.py`), Lambda's Invoke (`endpoint.py`) and, where more is needed, moto's server (`moto.py`).
"""
