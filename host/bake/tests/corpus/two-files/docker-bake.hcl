variable "ENV" { default = "dev" }
target "default" {
  args = { ENV = ENV }
  tags = ["example/app:dev"]
}
