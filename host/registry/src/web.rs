//! Requests to servers, with limits on size, redirects, time and slowness.
//!
//! A server that sends single bytes with pauses would never exceed a limit on idle time. Therefore an
//! answer must begin within [`HEAD`], deliver [`SLOWEST`] bytes in each [`WINDOW`], and end within a
//! time that the caller sets.

use std::sync::{Once, OnceLock};
use std::time::Duration;

use reqwest::redirect::{Attempt, Policy};
use reqwest::{Client, RequestBuilder, Response, StatusCode, Url};
use tokio::time::{Instant, timeout, timeout_at};

use crate::Progress;
use crate::artifact::is_loopback;
use crate::digest::Digest;
use crate::error::{self, AccessFault, RegistryError};

/// Time limit for connecting to a server, including TLS.
const CONNECT: Duration = Duration::from_secs(15);
/// Time limit for the head of an answer, including all redirects.
const HEAD: Duration = Duration::from_secs(30);
/// Interval at which the speed of an answer is checked.
const WINDOW: Duration = Duration::from_secs(30);
/// Minimum number of bytes in a [`WINDOW`]: 1 KiB per second.
const SLOWEST: u64 = 30 << 10;
/// Time limit for a whole file or blob: 64 MiB take ten minutes at 1 Mbit/s.
pub(crate) const TRANSFER_TIME: Duration = Duration::from_secs(30 * 60);
/// Time limit for any smaller answer.
pub(crate) const ANSWER_TIME: Duration = Duration::from_secs(120);
/// Time limit for the text of an error.
const WORDS_TIME: Duration = Duration::from_secs(5);
/// Minimum speed of an upload, in bytes per second.
const SLOWEST_UPLOAD: u64 = 16 << 10;
const REDIRECTS: usize = 5;
/// Maximum size of the part of an error's text that is repeated, in bytes.
const WORDS: usize = 4 << 10;
/// The name of this program in requests.
const USER_AGENT: &str = concat!("iechor/", env!("CARGO_PKG_VERSION"));

/// Installs ring as the cryptography provider of the process, because reqwest is built without one.
pub(crate) fn install_cryptography() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // Another part of the program may have installed one already.
        let _ = rustls::crypto::ring::default_provider().install_default();
    });
}

/// The clients of this process: for servers on this machine, and for all others.
struct Clients {
    direct: OnceLock<Client>,
    proxied: OnceLock<Client>,
}

impl Clients {
    const fn new() -> Self {
        Self {
            direct: OnceLock::new(),
            proxied: OnceLock::new(),
        }
    }
}

/// Returns the client of this process for an address. For a server on this machine it ignores the
/// proxies of the environment.
pub(crate) fn client(url: &str) -> Result<&'static Client, RegistryError> {
    static CLIENTS: Clients = Clients::new();
    created(&CLIENTS, url, || Policy::custom(redirect))
}

/// Returns the client of this process for a request with a secret in its body, which must not follow a
/// redirect.
pub(crate) fn steady_client(url: &str) -> Result<&'static Client, RegistryError> {
    static CLIENTS: Clients = Clients::new();
    created(&CLIENTS, url, Policy::none)
}

fn created(
    clients: &'static Clients,
    url: &str,
    redirects: impl FnOnce() -> Policy,
) -> Result<&'static Client, RegistryError> {
    let is_local = Url::parse(url).is_ok_and(|url| url.host_str().is_some_and(is_loopback));
    let place = match is_local {
        true => &clients.direct,
        false => &clients.proxied,
    };
    if let Some(client) = place.get() {
        return Ok(client);
    }
    install_cryptography();
    let mut builder = Client::builder()
        .user_agent(USER_AGENT)
        .connect_timeout(CONNECT)
        .redirect(redirects());
    if is_local {
        builder = builder.no_proxy();
    }
    let client = builder
        .build()
        .map_err(|error| RegistryError::Unreachable {
            host: "the network".into(),
            reason: reason(&error),
        })?;
    Ok(place.get_or_init(|| client))
}

/// Follows a limited number of redirects, and none from https to http.
fn redirect(attempt: Attempt<'_>) -> reqwest::redirect::Action {
    let had_tls = attempt.previous().iter().any(|url| url.scheme() == "https");
    if attempt.previous().len() > REDIRECTS {
        attempt.error("too many redirects")
    } else if had_tls && attempt.url().scheme() != "https" {
        attempt.error("redirect from https to http")
    } else {
        attempt.follow()
    }
}

/// Returns the normal form of an address: the host in lower case, no `..`, no default port. This form
/// is fetched, stored, displayed and compared with policies. An address that programs interpret
/// differently is refused.
///
/// # Errors
///
/// Returns the reason why the address is refused.
pub fn normal_address(text: &str) -> Result<String, String> {
    const ENCODED: [&str; 3] = ["%2e", "%2f", "%5c"];
    let url = Url::parse(text).map_err(|error| error.to_string())?;
    let (path, _) = text.split_once('?').unwrap_or((text, ""));
    let path = path.to_ascii_lowercase();
    let fault = if !url.username().is_empty() || url.password().is_some() {
        "an address must not contain a user or password, because it is stored and displayed"
    } else if text.contains(char::is_control) {
        "an address must not contain control characters"
    } else if text.contains('\\') {
        "an address must not contain a backslash; use /"
    } else if url.fragment().is_some() {
        "an address must not contain a fragment (after #); write %23 for a # in a name"
    } else if ENCODED.iter().any(|encoded| path.contains(encoded)) {
        "dots and slashes in a path must not be encoded (%2e, %2f, %5c)"
    } else {
        return Ok(url.into());
    };
    Err(fault.into())
}

/// Fetches a file of at most `limit` bytes from a web server.
///
/// # Errors
///
/// Returns an error if the file does not exist, or does not have the expected digest.
pub async fn download(
    url: &str,
    expected: Option<&Digest>,
    limit: u64,
    progress: Progress<'_>,
) -> Result<Vec<u8>, RegistryError> {
    let answer = send(client(url)?.get(url), url, 0).await?;
    match answer.status() {
        status if status.is_success() => {}
        StatusCode::NOT_FOUND | StatusCode::GONE => {
            return Err(RegistryError::NotFound {
                what: url.to_owned(),
                host: host(url),
                answer: answer.status().to_string(),
            });
        }
        status @ (StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) => {
            return Err(RegistryError::Unauthorized {
                host: host(url),
                fault: AccessFault::WebServer {
                    status: status.to_string(),
                },
            });
        }
        status => {
            return Err(RegistryError::Answer {
                url: url.to_owned(),
                reason: format!("the server answers {status}"),
            });
        }
    }
    let bytes = read(answer, url, limit, TRANSFER_TIME, progress).await?;
    error::check(url, expected, &Digest::of(&bytes))?;
    Ok(bytes)
}

/// Sends a request with a body of the given size in bytes, and waits for the head of the answer.
///
/// # Errors
///
/// Returns an error if no answer arrives in time.
pub(crate) async fn send(
    request: RequestBuilder,
    url: &str,
    body: u64,
) -> Result<Response, RegistryError> {
    let time = HEAD + Duration::from_secs(body / SLOWEST_UPLOAD);
    match timeout(time, request.send()).await {
        Ok(answer) => answer.map_err(|error| failed(url, &error)),
        Err(_) => Err(RegistryError::Slow {
            host: host(url),
            reason: format!("it does not answer within {} s", time.as_secs()),
        }),
    }
}

/// Reads an answer of at most `limit` bytes, within `time`.
///
/// # Errors
///
/// Returns an error if the answer is larger, is interrupted, or is too slow.
pub(crate) async fn read(
    mut answer: Response,
    what: &str,
    limit: u64,
    time: Duration,
    progress: Progress<'_>,
) -> Result<Vec<u8>, RegistryError> {
    let too_large = || RegistryError::TooLarge {
        what: what.to_owned(),
        limit,
    };
    let from = answer.url().to_string();
    let slow = |reason: String| RegistryError::Slow {
        host: host(&from),
        reason,
    };
    let total = answer.content_length();
    if total.is_some_and(|total| total > limit) {
        return Err(too_large());
    }
    let end = Instant::now() + time;
    let mut bytes = Vec::new();
    let mut window = Instant::now() + WINDOW;
    let mut before = 0;
    loop {
        let chunk = match timeout_at(window.min(end), answer.chunk()).await {
            Ok(chunk) => chunk.map_err(|error| failed(&from, &error))?,
            Err(_) if Instant::now() >= end => {
                let seconds = time.as_secs();
                return Err(slow(format!("it does not send {what} within {seconds} s")));
            }
            Err(_) => {
                let count = bytes.len() as u64;
                if count - before < SLOWEST {
                    return Err(slow(format!(
                        "it sent {} bytes of {what} in {} s",
                        count - before,
                        WINDOW.as_secs()
                    )));
                }
                before = count;
                window += WINDOW;
                continue;
            }
        };
        let Some(chunk) = chunk else {
            return Ok(bytes);
        };
        if bytes.len() as u64 + chunk.len() as u64 > limit {
            return Err(too_large());
        }
        bytes.extend_from_slice(&chunk);
        progress(bytes.len() as u64, total);
    }
}

/// Reads the beginning of an answer as one line that is safe to display.
pub(crate) async fn words(mut answer: Response) -> String {
    let end = Instant::now() + WORDS_TIME;
    let mut bytes = Vec::new();
    while let Ok(Ok(Some(chunk))) = timeout_at(end, answer.chunk()).await {
        let room = WORDS.saturating_sub(bytes.len());
        bytes.extend_from_slice(&chunk[..chunk.len().min(room)]);
        if chunk.len() >= room {
            break;
        }
    }
    line(&String::from_utf8_lossy(&bytes))
}

/// Returns a server's text on one line, without terminal control characters.
pub(crate) fn line(text: &str) -> String {
    const MOST: usize = 300;
    let plain: String = text
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(MOST)
        .collect();
    plain.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Returns the error of a request that got no answer.
pub(crate) fn failed(url: &str, error: &reqwest::Error) -> RegistryError {
    if error.is_connect() || error.is_timeout() || error.is_body() {
        RegistryError::Unreachable {
            host: host(url),
            reason: reason(error),
        }
    } else {
        RegistryError::Answer {
            url: url.to_owned(),
            reason: reason(error),
        }
    }
}

/// Returns the innermost cause of an error. The outer causes only repeat the address.
pub(crate) fn reason(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return "it does not answer in time".into();
    }
    let mut cause: &dyn std::error::Error = error;
    let mut lookup = false;
    while let Some(source) = cause.source() {
        lookup |= source.to_string().contains("dns error");
        cause = source;
    }
    // The message differs between resolvers.
    let prefix = if lookup { "unknown host: " } else { "" };
    format!("{prefix}{}", line(&cause.to_string()))
}

/// Returns the server of an address, for messages.
pub(crate) fn host(url: &str) -> String {
    let parsed = reqwest::Url::parse(url).ok();
    let named = parsed.as_ref().and_then(|url| {
        let host = url.host_str()?;
        Some(match url.port() {
            Some(port) => format!("{host}:{port}"),
            None => host.to_owned(),
        })
    });
    named.unwrap_or_else(|| url.to_owned())
}
