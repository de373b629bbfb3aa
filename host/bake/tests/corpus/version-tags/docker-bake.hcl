variable "GIT_TAG" { default = "v1.4.2" }
function "semver_tags" {
  params = [image, tag]
  result = can(regex("^v\\d+\\.\\d+\\.\\d+$", tag)) ? [
    for i in range(1, 4) : "${image}:${join(".", slice(split(".", trimprefix(tag, "v")), 0, i))}"
  ] : ["${image}:edge"]
}
target "default" {
  tags = semver_tags("example/cli", GIT_TAG)
}
