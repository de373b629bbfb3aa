variable "LEVEL" {
  default = "info"
  validation {
    condition     = contains(["debug", "info", "warn"], LEVEL)
    error_message = "LEVEL must be debug, info or warn."
  }
}
target "default" { args = { LEVEL = LEVEL } }
