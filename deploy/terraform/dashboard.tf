# The stream at a glance.

locals {
  region = split(":", aws_kinesis_firehose_delivery_stream.lines.arn)[3]
}

resource "aws_cloudwatch_dashboard" "stream" {
  dashboard_name = "${var.name}-${local.region}"
  dashboard_body = jsonencode({
    widgets = [
      {
        type = "metric", x = 0, y = 0, width = 12, height = 6
        properties = {
          title   = "Incoming bytes"
          region  = local.region
          stat    = "Sum"
          period  = 60
          metrics = [["AWS/Firehose", "IncomingBytes", "DeliveryStreamName", aws_kinesis_firehose_delivery_stream.lines.name]]
        }
      },
      {
        type = "metric", x = 12, y = 0, width = 12, height = 6
        properties = {
          title   = "Throttled records"
          region  = local.region
          stat    = "Sum"
          period  = 60
          metrics = [["AWS/Firehose", "ThrottledRecords", "DeliveryStreamName", aws_kinesis_firehose_delivery_stream.lines.name]]
        }
      },
      {
        type = "metric", x = 0, y = 6, width = 12, height = 6
        properties = {
          title   = "Age of the oldest line not yet delivered, s"
          region  = local.region
          stat    = "Maximum"
          period  = 60
          metrics = [["AWS/Firehose", "DeliveryToS3.DataFreshness", "DeliveryStreamName", aws_kinesis_firehose_delivery_stream.lines.name]]
        }
      },
      {
        type = "metric", x = 12, y = 6, width = 12, height = 6
        properties = {
          title   = "Deliveries that succeeded (1 is all)"
          region  = local.region
          stat    = "Average"
          period  = 60
          metrics = [["AWS/Firehose", "DeliveryToS3.Success", "DeliveryStreamName", aws_kinesis_firehose_delivery_stream.lines.name]]
        }
      },
    ]
  })
}
