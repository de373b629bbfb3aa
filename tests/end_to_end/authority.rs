//! An authority that issues tokens for a registry.
//! Source: the distribution project's "Token Authentication Specification" and its OAuth 2 variant.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::certificates;

/// The name of the authority and of its registry in tokens.
pub const ISSUER: &str = "test authority";
pub const SERVICE: &str = "test registry";

/// The identity token of the user `identified`.
pub const IDENTITY: &str = "identity-token-of-the-user";

/// A request for a token.
#[derive(Debug, Clone)]
pub struct Request {
    /// Method, path and query.
    pub line: String,
    /// The name of the client program.
    pub agent: String,
    /// The user; empty if there is none.
    pub user: String,
}

/// The users that the authority knows, with their passwords.
type Users = &'static [(&'static str, &'static str)];

/// An authority that runs as long as the test.
pub struct Authority {
    address: String,
    directory: TempDir,
    requests: Arc<Mutex<Vec<Request>>>,
}

struct Signer {
    key: EcdsaKeyPair,
    certificate: String,
    users: Users,
    /// Whether the authority answers requests of OAuth 2.
    has_oauth: bool,
}

impl Authority {
    /// Starts an authority for these users.
    pub fn start(users: Users) -> Self {
        Self::start_with(users, true)
    }

    /// Starts an authority that knows only the older of the two requests.
    pub fn without_oauth(users: Users) -> Self {
        Self::start_with(users, false)
    }

    fn start_with(users: Users, has_oauth: bool) -> Self {
        let directory = tempfile::tempdir().expect("directory");
        certificates::authority(directory.path(), "authority");
        let pem = |name: &str| directory.path().join(name);
        let key = PrivateKeyDer::from_pem_file(pem("authority.key")).expect("a key");
        let key = EcdsaKeyPair::from_pkcs8(
            &ECDSA_P256_SHA256_FIXED_SIGNING,
            key.secret_der(),
            &SystemRandom::new(),
        );
        let certificate = CertificateDer::from_pem_file(pem("authority.pem")).expect("one");
        let signer = Arc::new(Signer {
            key: key.expect("a key of this curve"),
            certificate: STANDARD.encode(&certificate),
            users,
            has_oauth,
        });
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("bound").to_string();
        let requests = Arc::<Mutex<Vec<Request>>>::default();
        let seen = Arc::clone(&requests);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (signer, seen) = (Arc::clone(&signer), Arc::clone(&seen));
                // Ignore clients that disconnect.
                thread::spawn(move || serve(&stream, &signer, &seen).ok());
            }
        });
        Self {
            address,
            directory,
            requests,
        }
    }

    /// Returns the section `auth` of the configuration of a registry.
    pub fn configuration(&self) -> Value {
        json!({"token": {
            "realm": format!("http://{}/token", self.address),
            "service": SERVICE,
            "issuer": ISSUER,
            "rootcertbundle": self.certificate(),
        }})
    }

    fn certificate(&self) -> PathBuf {
        self.directory.path().join("authority.pem")
    }

    /// Returns the requests since the last call.
    pub fn requests(&self) -> Vec<Request> {
        std::mem::take(&mut *self.requests.lock().expect("not poisoned"))
    }
}

fn serve(
    mut stream: &TcpStream,
    signer: &Signer,
    seen: &Mutex<Vec<Request>>,
) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let (mut length, mut shown, mut agent) = (0, String::new(), String::new());
    let mut header = String::new();
    while reader.read_line(&mut header)? > 2 {
        let (name, value) = header.split_once(':').unwrap_or_default();
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = value.trim().parse().unwrap_or_default(),
            "authorization" => shown = value.trim().to_owned(),
            "user-agent" => agent = value.trim().to_owned(),
            _ => {}
        }
        header.clear();
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    let is_post = line.starts_with("POST");
    let form = match is_post {
        true => String::from_utf8_lossy(&body).into_owned(),
        false => {
            let target = line.split(' ').nth(1).unwrap_or_default();
            target.split_once('?').unwrap_or_default().1.to_owned()
        }
    };
    let form = fields(&form);
    let field = |name: &str| {
        let mut values = form.iter().filter(|(key, _)| key == name);
        values
            .next()
            .map(|(_, value)| value.clone())
            .unwrap_or_default()
    };
    let login = match is_post {
        true if field("grant_type") == "refresh_token" => match field("refresh_token").as_str() {
            IDENTITY => Some(("identified".to_owned(), None)),
            _ => None,
        },
        true => Some((field("username"), Some(field("password")))),
        false => {
            let decoded = shown
                .strip_prefix("Basic ")
                .and_then(|text| STANDARD.decode(text).ok());
            let text = decoded
                .and_then(|text| String::from_utf8(text).ok())
                .unwrap_or_default();
            let (user, password) = text.split_once(':').unwrap_or_default();
            Some((user.to_owned(), Some(password.to_owned())))
        }
    };
    let user = login
        .as_ref()
        .map(|(user, _)| user.clone())
        .unwrap_or_default();
    seen.lock().expect("not poisoned").push(Request {
        line: line.trim().to_owned(),
        agent,
        user: user.clone(),
    });
    let is_known = match &login {
        None => false,
        Some((_, None)) => true,
        // Without a user, the token has no rights.
        Some((user, Some(_))) if user.is_empty() => true,
        Some((user, Some(password))) => signer.users.contains(&(user.as_str(), password.as_str())),
    };
    if is_post && !signer.has_oauth {
        return stream.write_all(b"HTTP/1.0 404 Not Found\r\n\r\n");
    }
    if !is_known {
        return stream.write_all(b"HTTP/1.0 401 Unauthorized\r\n\r\n");
    }
    let scopes = form.iter().filter(|(key, _)| key == "scope");
    let scopes = scopes.flat_map(|(_, scopes)| scopes.split(' ').map(str::to_owned));
    let token = signer.token(&user, scopes.collect());
    let answer = match is_post {
        true => json!({"access_token": token, "expires_in": 300}),
        false => json!({"token": token, "expires_in": 300}),
    };
    write!(
        stream,
        "HTTP/1.0 200 OK\r\nContent-Type: application/json\r\n\r\n{answer}"
    )
}

/// Returns the fields of a form.
fn fields(form: &str) -> Vec<(String, String)> {
    let decoded = |text: &str| {
        let mut bytes = Vec::new();
        let mut rest = text.bytes();
        while let Some(byte) = rest.next() {
            bytes.push(match byte {
                b'+' => b' ',
                b'%' => {
                    let digits = [rest.next(), rest.next()].map(|d| d.expect("two digits"));
                    let digits = std::str::from_utf8(&digits).expect("digits");
                    u8::from_str_radix(digits, 16).expect("digits")
                }
                byte => byte,
            });
        }
        String::from_utf8(bytes).expect("text")
    };
    let pairs = form.split('&').filter_map(|pair| pair.split_once('='));
    pairs
        .map(|(key, value)| (decoded(key), decoded(value)))
        .collect()
}

impl Signer {
    /// Returns a token with the requested rights, or without rights if there is no user.
    fn token(&self, user: &str, scopes: Vec<String>) -> String {
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .expect("after 1970")
            .as_secs();
        let access: Vec<Value> = match user {
            "" => Vec::new(),
            _ => scopes
                .iter()
                .filter_map(|scope| {
                    let mut parts = scope.splitn(3, ':');
                    let (kind, name, rights) = (parts.next()?, parts.next()?, parts.next()?);
                    let rights: Vec<_> = rights.split(',').collect();
                    Some(json!({"type": kind, "name": name, "actions": rights}))
                })
                .collect(),
        };
        let header = json!({"typ": "JWT", "alg": "ES256", "x5c": [self.certificate]});
        let claims = json!({
            "iss": ISSUER, "sub": user, "aud": SERVICE, "exp": now + 300, "nbf": now - 30, "iat": now,
            "jti": format!("{now}"), "access": access,
        });
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", part(&header), part(&claims));
        let signature = self.key.sign(&SystemRandom::new(), signed.as_bytes());
        let signature = URL_SAFE_NO_PAD.encode(signature.expect("signed"));
        format!("{signed}.{signature}")
    }
}
