target "main" {
  context = "https://github.com/example/app.git#main:sub"
}
target "git" {
  context = "https://example.com/app.tar.gz"
  dockerfile = "Dockerfile.dev"
}
