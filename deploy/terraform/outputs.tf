output "stream_name" {
  description = "For FIRETEE_STREAM, or firetee attach FUNCTION --stream ..."
  value       = aws_kinesis_firehose_delivery_stream.lines.name
}

output "stream_arn" {
  description = "For functions in other regions."
  value       = aws_kinesis_firehose_delivery_stream.lines.arn
}

output "bucket_name" {
  description = "Where lines are delivered."
  value       = aws_s3_bucket.lines.id
}

output "layer_arn" {
  description = "For a function's layers; null if layer_zip is empty."
  value       = one(aws_lambda_layer_version.firetee[*].arn)
}

output "put_records_policy" {
  description = "The policy that a function's role needs, as JSON."
  value       = data.aws_iam_policy_document.put_records.json
}

output "environment" {
  description = "The variables that a function needs."
  value = {
    AWS_LAMBDA_EXEC_WRAPPER = "/opt/bin/exec-wrapper"
    FIRETEE_STREAM          = aws_kinesis_firehose_delivery_stream.lines.name
  }
}

output "writer_role_arn" {
  description = "For FIRETEE_ROLE_ARN in other accounts; null without writer_principals."
  value       = one(aws_iam_role.writer[*].arn)
}
