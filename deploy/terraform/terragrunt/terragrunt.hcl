# One environment of a Terragrunt repository: copy this folder, adapt the inputs.

terraform {
  source = "git::https://github.com/OWNER/firetee.git//deploy/terraform?ref=v0.1.0"
}

include "root" {
  path = find_in_parent_folders("root.hcl")
}

inputs = {
  name           = "firetee-prod"
  layer_zip      = "${get_terragrunt_dir()}/firetee-layer.zip"
  keep_days      = 30
  function_roles = { orders = "orders-role", bills = "bills-role" }

  tags = {
    team = "platform"
  }
}
