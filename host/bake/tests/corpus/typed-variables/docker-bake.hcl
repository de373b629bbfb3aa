variable "PLATFORMS" {
  type    = list(string)
  default = ["linux/amd64"]
}
variable "RETRIES" {
  type    = number
  default = 3
}
variable "DEBUG" {
  type    = bool
  default = false
}
variable "LABELS" {
  type    = map(string)
  default = { team = "core" }
}

target "default" {
  platforms = PLATFORMS
  args = {
    RETRIES = RETRIES + 1
    DEBUG   = DEBUG ? "yes" : "no"
  }
  labels = LABELS
}
