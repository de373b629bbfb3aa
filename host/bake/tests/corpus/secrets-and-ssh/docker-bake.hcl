target "default" {
  secret = [
    "id=token,env=API_TOKEN",
    "id=npmrc,src=npmrc",
    { id = "aws", src = "aws" },
  ]
  ssh = [{ id = "deploy", paths = ["id_ed25519"] }]
}
