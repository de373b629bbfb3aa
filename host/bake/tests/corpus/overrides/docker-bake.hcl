target "app" {
  args = { A = "1" }
  tags = ["example/app"]
  platforms = ["linux/amd64"]
  cache-from = ["example/app:cache"]
}
target "db" { tags = ["example/db"] }
group "default" { targets = ["app", "db"] }
