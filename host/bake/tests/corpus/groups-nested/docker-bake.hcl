group "default" { targets = ["backend", "docs"] }
group "backend" {
  description = "Servers"
  targets = ["api", "jobs"]
}
target "api" {}
target "jobs" {}
target "docs" { description = "The manual" }
