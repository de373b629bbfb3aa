target "a" {}
target "b" { output = ["type=image,name=example/b"] }
target "c" { output = ["type=docker"] }
group "default" { targets = ["a", "b", "c"] }
