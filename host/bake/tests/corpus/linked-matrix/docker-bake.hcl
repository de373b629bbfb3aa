target "base" {
  name = "base-${v}"
  matrix = { v = ["1", "2"] }
  args = { V = v }
}
target "app" {
  name = "app-${v}"
  matrix = { v = ["1", "2"] }
  contexts = { base = "target:base-${v}" }
  inherits = ["base-${v}"]
}
