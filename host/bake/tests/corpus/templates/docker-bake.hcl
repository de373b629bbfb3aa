variable "PACKAGES" { default = "curl git" }
target "default" {
  args = {
    INSTALL = "apt-get install%{ for p in split(" ", PACKAGES) } ${p}%{ endfor }"
    MODE    = "%{ if strlen(PACKAGES) > 3 }many%{ else }few%{ endif }"
    JSON    = jsonencode({ b = [1, 2.5], a = null, c = "<x>" })
  }
}
