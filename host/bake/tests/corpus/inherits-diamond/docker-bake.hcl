target "root" { args = { A = "root", B = "root", C = "root" } }
target "left" {
  inherits = ["root"]
  args = { A = "left" }
}
target "right" {
  inherits = ["root"]
  args = { B = "right" }
}
target "default" {
  inherits = ["left", "right"]
  args = { C = "own", D = null }
}
