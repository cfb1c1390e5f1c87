# The envelope as a table for Athena. Partitions are computed from the keys: no crawler, nothing to repair.

locals {
  columns = {
    time                   = "string"
    type                   = "string"
    record                 = "string"
    stream                 = "string"
    level                  = "string"
    requestid              = "string"
    traceid                = "string"
    spanid                 = "string"
    xraytraceid            = "string"
    sampled                = "boolean"
    invocationid           = "string"
    durableexecutionarn    = "string"
    durablefirstinvocation = "boolean"
    tenantid               = "string"
    function               = "string"
    version                = "string"
    coldstart              = "boolean"
    environment            = "string"
    seq                    = "bigint"
    part                   = "array<int>"
    tags                   = "map<string,string>"
  }
}

resource "aws_glue_catalog_database" "lines" {
  name        = replace(var.name, "-", "_")
  description = "What functions wrote, delivered by firetee"
}

resource "aws_glue_catalog_table" "lines" {
  name          = "lines"
  database_name = aws_glue_catalog_database.lines.name
  table_type    = "EXTERNAL_TABLE"

  parameters = {
    "classification"            = "json"
    "projection.enabled"        = "true"
    "projection.day.type"       = "date"
    "projection.day.format"     = "yyyy-MM-dd"
    "projection.day.range"      = "NOW-3YEARS,NOW"
    "projection.hour.type"      = "integer"
    "projection.hour.range"     = "0,23"
    "projection.hour.digits"    = "2"
    "storage.location.template" = "s3://${aws_s3_bucket.lines.id}/lines/day=$${day}/hour=$${hour}/"
  }

  partition_keys {
    name = "day"
    type = "string"
  }

  partition_keys {
    name = "hour"
    type = "string"
  }

  storage_descriptor {
    location      = "s3://${aws_s3_bucket.lines.id}/lines/"
    input_format  = "org.apache.hadoop.mapred.TextInputFormat"
    output_format = "org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat"

    ser_de_info {
      serialization_library = "org.openx.data.jsonserde.JsonSerDe"

      parameters = {
        "ignore.malformed.json" = "true"
        "case.insensitive"      = "true"
      }
    }

    dynamic "columns" {
      for_each = local.columns

      content {
        name = columns.key
        type = columns.value
      }
    }
  }
}

# Athena reads the one function's folder only. It asks for "function = '...'" in each query, so the table of all stays.
resource "aws_glue_catalog_table" "lines_of_function" {
  count = var.partition_by_function ? 1 : 0

  name          = "lines_of_function"
  database_name = aws_glue_catalog_database.lines.name
  table_type    = "EXTERNAL_TABLE"

  parameters = {
    "classification"            = "json"
    "projection.enabled"        = "true"
    "projection.day.type"       = "date"
    "projection.day.format"     = "yyyy-MM-dd"
    "projection.day.range"      = "NOW-3YEARS,NOW"
    "projection.hour.type"      = "integer"
    "projection.hour.range"     = "0,23"
    "projection.hour.digits"    = "2"
    "projection.function.type"  = "injected"
    "storage.location.template" = "s3://${aws_s3_bucket.lines.id}/lines/day=$${day}/hour=$${hour}/function=$${function}/"
  }

  partition_keys {
    name = "day"
    type = "string"
  }

  partition_keys {
    name = "hour"
    type = "string"
  }

  partition_keys {
    name = "function"
    type = "string"
  }

  storage_descriptor {
    location      = "s3://${aws_s3_bucket.lines.id}/lines/"
    input_format  = "org.apache.hadoop.mapred.TextInputFormat"
    output_format = "org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat"

    ser_de_info {
      serialization_library = "org.openx.data.jsonserde.JsonSerDe"

      parameters = {
        "ignore.malformed.json" = "true"
        "case.insensitive"      = "true"
      }
    }

    dynamic "columns" {
      for_each = { for name, type in local.columns : name => type if name != "function" }

      content {
        name = columns.key
        type = columns.value
      }
    }
  }
}

resource "aws_athena_named_query" "errors" {
  name        = "${var.name}: errors of today"
  description = "Errors, newest first, each once"
  database    = aws_glue_catalog_database.lines.name
  query       = <<-SQL
    SELECT DISTINCT time, function, requestid, record, environment, seq
    FROM lines
    WHERE day = CAST(current_date AS varchar) AND level IN ('ERROR', 'CRITICAL')
    ORDER BY time DESC
    LIMIT 100
  SQL
}

resource "aws_athena_named_query" "invocation" {
  name        = "${var.name}: one invocation"
  description = "All that one invocation wrote, in order"
  database    = aws_glue_catalog_database.lines.name
  query       = <<-SQL
    SELECT DISTINCT time, type, stream, level, record, environment, seq
    FROM lines
    WHERE day = CAST(current_date AS varchar) AND requestid = 'PUT THE ID HERE'
    ORDER BY environment, seq
  SQL
}

resource "aws_athena_named_query" "function" {
  count = var.partition_by_function ? 1 : 0

  name        = "${var.name}: one function today"
  description = "The last lines of one function; only its folder is read"
  database    = aws_glue_catalog_database.lines.name
  query       = <<-SQL
    SELECT DISTINCT time, type, level, requestid, record, environment, seq
    FROM lines_of_function
    WHERE day = CAST(current_date AS varchar) AND function = 'PUT THE NAME HERE'
    ORDER BY time DESC
    LIMIT 100
  SQL
}

resource "aws_athena_named_query" "slowest" {
  name        = "${var.name}: duration and memory"
  description = "Invocations, durations and memory by function, from platform.report"
  database    = aws_glue_catalog_database.lines.name
  query       = <<-SQL
    SELECT function,
           count(*) AS invocations,
           approx_percentile(CAST(json_extract_scalar(record, '$.metrics.durationMs') AS double), 0.95) AS p95_ms,
           max(CAST(json_extract_scalar(record, '$.metrics.maxMemoryUsedMB') AS integer)) AS max_memory_mb
    FROM lines
    WHERE day = CAST(current_date AS varchar) AND type = 'platform.report'
    GROUP BY function
    ORDER BY p95_ms DESC
  SQL
}

resource "aws_athena_named_query" "dropped" {
  name        = "${var.name}: lines that could not be kept today"
  description = "What functions wrote faster than it could be sent, counted"
  database    = aws_glue_catalog_database.lines.name
  query       = <<-SQL
    SELECT time, function, environment,
           json_extract_scalar(record, '$.reason') AS reason,
           CAST(json_extract_scalar(record, '$.droppedRecords') AS bigint) AS dropped_lines
    FROM lines
    WHERE day = CAST(current_date AS varchar) AND type = 'platform.logsDropped'
    ORDER BY time DESC
  SQL
}
