variable "CI" { default = false }
variable "BRANCH" { default = "" }
target "default" {
  tags = compact([
    "example/app:${BRANCH != "" ? replace(BRANCH, "/", "-") : "local"}",
    CI ? "example/app:ci" : "",
    BRANCH == "main" ? "example/app:latest" : null,
  ])
  cache-to = CI ? ["type=gha,mode=max"] : []
  output = [CI ? "type=registry" : "type=docker"]
}
