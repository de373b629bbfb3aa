target "app" {
  cache-from = [
    "type=registry,ref=example/app:cache",
    "example/app:latest",
    { type = "local", src = "cache" },
  ]
  cache-to = [
    { type = "registry", ref = "example/app:cache", mode = "max", compression-level = 3 },
    "type=inline",
  ]
}
target "ci" {
  inherits = ["app"]
  cache-from = ["example/app:latest", "type=registry,ref=example/app:ci"]
  cache-to = ["type=local,dest=out/cache"]
}
