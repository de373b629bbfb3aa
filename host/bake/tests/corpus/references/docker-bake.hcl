target "base" {
  dockerfile = "base.Dockerfile"
  args = {
    VERSION = "5"
  }
  tags = ["example/base:5"]
}

target "child" {
  contexts = {
    base = "target:base"
  }
  args = {
    BASE_VERSION = target.base.args.VERSION
    BASE_TAG     = target.base.tags[0]
  }
  dockerfile = target.base.dockerfile
}
