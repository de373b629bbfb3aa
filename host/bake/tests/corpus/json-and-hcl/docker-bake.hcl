target "app" {
  args = { FROM_HCL = "1" }
}
group "default" { targets = ["app"] }
