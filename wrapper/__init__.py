"""Boots the Lambda runtime with log capture; knows Lambda, and nothing of Firehose."""
