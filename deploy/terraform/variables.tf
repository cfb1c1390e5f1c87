variable "name" {
  description = "Beginning of the names of stream, roles, alarms and table."
  type        = string
  default     = "firetee"

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,29}$", var.name))
    error_message = "Use 2 to 30 small letters, digits and hyphens, a letter first."
  }
}

variable "layer_zip" {
  description = "Path of the layer's zip (firetee layer build). Empty: no layer is published."
  type        = string
  default     = ""
}

variable "keep_days" {
  description = "Age at which delivered lines are deleted."
  type        = number
  default     = 90
}

variable "buffer_seconds" {
  description = "Longest time that Firehose collects lines before it writes an object."
  type        = number
  default     = 60
}

variable "partition_by_function" {
  description = "Put each function's lines under a key of their own (dynamic partitioning, billed extra). FIRETEE_COMPRESSION must then stay none."
  type        = bool
  default     = false
}

variable "function_roles" {
  description = "Names of execution roles that may put records into the stream, each under a key of your choice: keys must be known when Terraform plans, names need not be."
  type        = map(string)
  default     = {}
}

variable "silence_cloudwatch" {
  description = "Deny these roles to write to CloudWatch Logs, so that lines are paid for once. The trade-off is stated in docs/security.md, 'Without CloudWatch Logs'."
  type        = bool
  default     = false
}

variable "sample_function" {
  description = "Create a function to try it on. Needs layer_zip and sample_zip."
  type        = bool
  default     = false
}

variable "sample_zip" {
  description = "Path of a zip with the sample function's code (app.py with a function `handler`)."
  type        = string
  default     = ""
}

variable "alarm_topic_arn" {
  description = "SNS topic that the alarms notify. Empty: alarms that only show."
  type        = string
  default     = ""
}

variable "kms_key" {
  description = "Your own KMS key for stream, bucket and log group. null: keys that AWS owns. Its policy must let logs.REGION.amazonaws.com use it."
  type        = object({ arn = string })
  default     = null
}

variable "versioning" {
  description = "Keep what is deleted or overwritten in the bucket for another 30 days."
  type        = bool
  default     = false
}

variable "access_log" {
  description = "Bucket that takes the access logs of the bucket. null: none."
  type        = object({ bucket = string })
  default     = null
}

variable "writer_principals" {
  description = "ARNs of roles in other accounts that may send lines to the stream, through the role in the output writer_role_arn."
  type        = list(string)
  default     = []
}

variable "tags" {
  description = "Tags of every resource."
  type        = map(string)
  default     = {}
}
