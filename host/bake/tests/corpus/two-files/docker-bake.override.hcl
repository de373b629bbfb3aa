variable "ENV" { default = "prod" }
target "default" {
  tags = ["example/app:prod"]
  no-cache = true
}
