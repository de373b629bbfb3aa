target "files" {
  output = ["out/bin"]
}
target "archive" {
  output = [{ type = "oci", dest = "image.tar" }, "type=docker,name=example/x"]
}
target "pushed" {
  output = ["type=registry", "type=image,name=example/y,push=true"]
}
group "default" { targets = ["files", "archive", "pushed"] }
