# The delivery stream, and the role by which it writes to the bucket.

data "aws_caller_identity" "current" {}

resource "aws_cloudwatch_log_group" "delivery" {
  name              = "/aws/kinesisfirehose/${var.name}"
  retention_in_days = 14
  kms_key_id        = one(var.kms_key[*].arn)
  tags              = var.tags
}

resource "aws_cloudwatch_log_stream" "delivery" {
  name           = "DestinationDelivery"
  log_group_name = aws_cloudwatch_log_group.delivery.name
}

data "aws_iam_policy_document" "firehose_assumes" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["firehose.amazonaws.com"]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [data.aws_caller_identity.current.account_id]
    }
  }
}

data "aws_iam_policy_document" "deliver" {
  statement {
    actions   = ["s3:GetBucketLocation", "s3:ListBucket", "s3:ListBucketMultipartUploads"]
    resources = [aws_s3_bucket.lines.arn]
  }

  statement {
    actions   = ["s3:AbortMultipartUpload", "s3:GetObject", "s3:PutObject"]
    resources = ["${aws_s3_bucket.lines.arn}/*"]
  }

  statement {
    actions   = ["logs:PutLogEvents"]
    resources = ["${aws_cloudwatch_log_group.delivery.arn}:*"]
  }

  dynamic "statement" {
    for_each = var.kms_key == null ? [] : [1]

    content {
      actions   = ["kms:Decrypt", "kms:GenerateDataKey"]
      resources = [var.kms_key.arn]
    }
  }
}

resource "aws_iam_role" "delivery" {
  name_prefix        = "${var.name}-delivery-"
  description        = "Lets Data Firehose deliver what firetee sends"
  assume_role_policy = data.aws_iam_policy_document.firehose_assumes.json
  tags               = var.tags
}

resource "aws_iam_role_policy" "delivery" {
  name   = "deliver"
  role   = aws_iam_role.delivery.id
  policy = data.aws_iam_policy_document.deliver.json
}

resource "aws_kinesis_firehose_delivery_stream" "lines" {
  name        = var.name
  destination = "extended_s3"
  tags        = var.tags

  server_side_encryption {
    enabled  = true
    key_type = var.kms_key == null ? "AWS_OWNED_CMK" : "CUSTOMER_MANAGED_CMK"
    key_arn  = one(var.kms_key[*].arn)
  }

  extended_s3_configuration {
    role_arn   = aws_iam_role.delivery.arn
    bucket_arn = aws_s3_bucket.lines.arn
    # Hive-style keys by UTC day and hour: Athena reads them as partitions, `firetee tail` finds a time by them.
    prefix              = "lines/day=!{timestamp:yyyy-MM-dd}/hour=!{timestamp:HH}/${var.partition_by_function ? "function=!{partitionKeyFromQuery:function}/" : ""}"
    error_output_prefix = "errors/!{firehose:error-output-type}/day=!{timestamp:yyyy-MM-dd}/"
    compression_format  = "GZIP"
    buffering_interval  = var.buffer_seconds
    buffering_size      = var.partition_by_function ? 64 : 5 # dynamic partitioning takes no less than 64

    cloudwatch_logging_options {
      enabled         = true
      log_group_name  = aws_cloudwatch_log_group.delivery.name
      log_stream_name = aws_cloudwatch_log_stream.delivery.name
    }

    dynamic "dynamic_partitioning_configuration" {
      for_each = var.partition_by_function ? [1] : []

      content {
        enabled        = true
        retry_duration = 300
      }
    }

    # A Firehose record holds up to 500 lines: it is taken apart, the function's name is read from each line, and the
    # newline that taking apart removes is put back.
    dynamic "processing_configuration" {
      for_each = var.partition_by_function ? [1] : []

      content {
        enabled = true

        processors {
          type = "RecordDeAggregation"

          parameters {
            parameter_name  = "SubRecordType"
            parameter_value = "JSON"
          }
        }

        processors {
          type = "MetadataExtraction"

          parameters {
            parameter_name  = "MetadataExtractionQuery"
            parameter_value = "{function: .function}"
          }

          parameters {
            parameter_name  = "JsonParsingEngine"
            parameter_value = "JQ-1.6"
          }
        }

        processors {
          type = "AppendDelimiterToRecord"

          parameters {
            parameter_name  = "Delimiter"
            parameter_value = "\\n"
          }
        }
      }
    }
  }

  depends_on = [aws_iam_role_policy.delivery]
}
