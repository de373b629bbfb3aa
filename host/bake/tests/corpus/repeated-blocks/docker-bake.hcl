target "default" {
  args = { A = "1", B = "1" }
  tags = ["a"]
}
target "default" {
  args = { B = "2" }
  tags = ["b", "b", ""]
}
group "all" { targets = ["default"] }
group "all" { targets = ["default", "other"] }
target "other" { pull = true }
