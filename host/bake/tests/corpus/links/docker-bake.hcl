target "base" {
  context   = "base"
  platforms = ["linux/amd64", "linux/arm64"]
}
target "app" {
  context   = "app"
  contexts  = { base = "target:base", docs = "../docs", alpine = "docker-image://alpine:3.20" }
  platforms = ["linux/amd64", "linux/arm64"]
}
