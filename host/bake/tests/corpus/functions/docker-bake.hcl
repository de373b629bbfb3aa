variable "VERSION" { default = "1.2.3" }

function "tags" {
  params         = [name]
  variadic_params = more
  result = concat(["example/${name}:${VERSION}"], [for m in more : "example/${name}:${m}"])
}

function "minor" {
  params = [version]
  result = join(".", slice(split(".", version), 0, 2))
}

target "default" {
  tags = tags("tool", minor(VERSION), "latest")
}
