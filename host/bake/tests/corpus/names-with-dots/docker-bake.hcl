target "web_v1" { tags = ["example/web:1"] }
