# Firehose has no resource policies: functions of other accounts assume this role (FIRETEE_ROLE_ARN).

data "aws_iam_policy_document" "writers_assume" {
  count = length(var.writer_principals) == 0 ? 0 : 1

  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "AWS"
      identifiers = var.writer_principals
    }
  }
}

data "aws_iam_policy_document" "write" {
  statement {
    actions   = ["firehose:PutRecordBatch"]
    resources = [aws_kinesis_firehose_delivery_stream.lines.arn]
  }
}

resource "aws_iam_role" "writer" {
  count = length(var.writer_principals) == 0 ? 0 : 1

  name_prefix        = "${var.name}-writer-"
  description        = "Lets functions of other accounts send lines to the stream"
  assume_role_policy = data.aws_iam_policy_document.writers_assume[0].json
  tags               = var.tags
}

resource "aws_iam_role_policy" "writer" {
  count = length(var.writer_principals) == 0 ? 0 : 1

  name   = "write"
  role   = aws_iam_role.writer[0].id
  policy = data.aws_iam_policy_document.write.json
}
