"""What is shipped to set up an account: templates, modules, examples; checked without an AWS account."""
