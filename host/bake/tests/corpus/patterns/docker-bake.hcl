target "test-unit" {}
target "test-e2e" {}
target "build" {}
group "test-all" { targets = ["test-unit", "test-e2e"] }
