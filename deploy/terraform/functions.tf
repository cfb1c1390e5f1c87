# What a function needs: the layer, two variables, one permission.

resource "aws_lambda_layer_version" "firetee" {
  count = var.layer_zip == "" ? 0 : 1

  layer_name               = "firetee"
  description              = "Sends what a Python function writes to Data Firehose"
  filename                 = var.layer_zip
  source_code_hash         = filebase64sha256(var.layer_zip)
  compatible_runtimes      = ["python3.10", "python3.11", "python3.12", "python3.13", "python3.14", "python3.15"]
  compatible_architectures = ["x86_64", "arm64"]
  license_info             = "MIT"
  skip_destroy             = true # functions that use an older version keep it
}

data "aws_iam_policy_document" "put_records" {
  statement {
    sid       = "Firetee"
    actions   = ["firehose:PutRecordBatch"]
    resources = [aws_kinesis_firehose_delivery_stream.lines.arn]
  }

  dynamic "statement" {
    for_each = var.silence_cloudwatch ? [1] : []

    content {
      sid       = "WithoutCloudWatchLogs"
      effect    = "Deny"
      actions   = ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"]
      resources = ["*"]
    }
  }
}

resource "aws_iam_role_policy" "functions" {
  for_each = var.function_roles

  name   = var.name
  role   = each.value
  policy = data.aws_iam_policy_document.put_records.json
}

# A function to try it on.

data "aws_iam_policy_document" "lambda_assumes" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["lambda.amazonaws.com"]
    }
  }
}

resource "aws_iam_role" "sample" {
  count = var.sample_function ? 1 : 0

  name_prefix        = "${var.name}-sample-"
  assume_role_policy = data.aws_iam_policy_document.lambda_assumes.json
  tags               = var.tags
}

resource "aws_iam_role_policy" "sample" {
  count = var.sample_function ? 1 : 0

  name   = var.name
  role   = aws_iam_role.sample[0].id
  policy = data.aws_iam_policy_document.put_records.json
}

resource "aws_lambda_function" "sample" {
  count = var.sample_function ? 1 : 0

  function_name    = "${var.name}-sample"
  role             = aws_iam_role.sample[0].arn
  runtime          = "python3.13"
  architectures    = ["arm64"]
  handler          = "app.handler"
  filename         = var.sample_zip
  source_code_hash = filebase64sha256(var.sample_zip)
  memory_size      = 256
  timeout          = 10
  layers           = [aws_lambda_layer_version.firetee[0].arn]
  tags             = var.tags

  environment {
    variables = {
      AWS_LAMBDA_EXEC_WRAPPER = "/opt/bin/exec-wrapper"
      FIRETEE_STREAM          = aws_kinesis_firehose_delivery_stream.lines.name
    }
  }
}
