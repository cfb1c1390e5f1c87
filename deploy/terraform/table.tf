# The envelope as a table for Athena. Partitions are computed from the keys: no crawler, nothing to repair.

locals {
  columns = {
    time        = "string"
    type        = "string"
    record      = "string"
    stream      = "string"
    level       = "string"
    requestid   = "string"
    traceid     = "string"
    tenantid    = "string"
    function    = "string"
    version     = "string"
    coldstart   = "boolean"
    environment = "string"
    seq         = "bigint"
    part        = "array<int>"
    tags        = "map<string,string>"
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
