# Callers are throttled, delivery fails, delivery is late.

locals {
  alarms = {
    throttled = {
      description = "Firehose refuses records of this stream for their rate. firetee keeps and resends them; ask for a higher quota."
      metric      = "ThrottledRecords"
      statistic   = "Sum"
      operator    = "GreaterThanThreshold"
      threshold   = 0
      periods     = 3
      breaching   = 2
    }
    failing = {
      description = "Firehose cannot write to the bucket. Its reasons are in ${aws_cloudwatch_log_group.delivery.name}; it tries again for 24 hours."
      metric      = "DeliveryToS3.Success"
      statistic   = "Average"
      operator    = "LessThanThreshold"
      threshold   = 1
      periods     = 1
      breaching   = 1
    }
    late = {
      description = "The oldest line that Firehose has not delivered yet is more than half an hour old."
      metric      = "DeliveryToS3.DataFreshness"
      statistic   = "Maximum"
      operator    = "GreaterThanThreshold"
      threshold   = 1800
      periods     = 1
      breaching   = 1
    }
  }
}

resource "aws_cloudwatch_metric_alarm" "stream" {
  for_each = local.alarms

  alarm_name          = "${var.name}-${each.key}"
  alarm_description   = each.value.description
  namespace           = "AWS/Firehose"
  metric_name         = each.value.metric
  statistic           = each.value.statistic
  comparison_operator = each.value.operator
  threshold           = each.value.threshold
  period              = 300
  evaluation_periods  = each.value.periods
  datapoints_to_alarm = each.value.breaching
  treat_missing_data  = "notBreaching"
  alarm_actions       = var.alarm_topic_arn == "" ? [] : [var.alarm_topic_arn]
  tags                = var.tags

  dimensions = {
    DeliveryStreamName = aws_kinesis_firehose_delivery_stream.lines.name
  }
}
