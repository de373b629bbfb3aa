target "image" {
  name = "image-${replace(item.version, ".", "-")}"
  matrix = {
    item = [
      { version = "3.12", base = "bookworm" },
      { version = "3.13", base = "trixie" },
    ]
  }
  args = {
    PYTHON = item.version
    BASE   = item.base
  }
  tags = ["example/python:${item.version}-${item.base}"]
}
