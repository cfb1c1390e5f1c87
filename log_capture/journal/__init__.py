"""What was written, kept until it is sent, also beyond the death of this process."""
