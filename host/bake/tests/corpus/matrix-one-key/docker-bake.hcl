target "app" {
  name = "app-${tgt}"
  matrix = {
    tgt = ["lint", "test", "build"]
  }
  target = tgt
  tags   = ["example/app:${tgt}"]
}
