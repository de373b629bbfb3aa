//! Steps that the user sees, and waiting for BuildKit.

use std::time::Duration;

use crate::buildkit_session::Client;
use crate::progress::Task;
use crate::transport::Connection;
use crate::{Error, clock, describe_error};

/// The first attempt is made at once. The waits double up to the longest.
const FIRST_WAIT: Duration = Duration::from_millis(20);
const LONGEST_WAIT: Duration = Duration::from_millis(500);

/// Runs `work` as a step that the user sees, with its outcome.
///
/// # Errors
///
/// The error of `work`.
pub fn step<T>(name: &str, work: impl FnOnce(&Task) -> Result<T, Error>) -> Result<T, Error> {
    let task = Task::new(name);
    let result = work(&task);
    let failure = result.as_ref().err().map(describe_error);
    Task::finish(task, failure.as_deref().map_or(Ok(()), Err));
    result
}

/// Why [`wait_for_buildkit`] gave up.
///
/// `?` converts it into an [`Error`]. Match it first to add details.
#[derive(Debug)]
pub enum Unready {
    /// Waiting longer does not help: the operation ended, something was denied or failed permanently, or
    /// `is_alive` returned an error.
    Over(Error),
    /// There was no answer in time. Contains the error of the last attempt.
    Late(Error),
}

impl From<Unready> for Error {
    fn from(unready: Unready) -> Self {
        match unready {
            Unready::Over(error) => error,
            Unready::Late(error) => Self::Unavailable(format!(
                "BuildKit does not answer: {}",
                describe_error(&error)
            )),
        }
    }
}

/// Waits until BuildKit answers on a connection of `dial` and has a worker, for at most `within` and the
/// time of the operation. Calls `is_alive` after each failed attempt; its error ends the wait.
///
/// # Errors
///
/// [`Unready`], which `?` converts into an [`Error`].
pub fn wait_for_buildkit(
    within: Duration,
    dial: impl Fn() -> Result<Connection, Error>,
    is_alive: impl Fn() -> Result<(), Error>,
) -> Result<(), Unready> {
    let begun = clock::now();
    let mut wait = FIRST_WAIT;
    loop {
        match try_connection(&dial) {
            Ok(()) => return Ok(()),
            Err(error) if is_final(&error) => return Err(Unready::Over(error)),
            Err(error) => {
                is_alive().map_err(Unready::Over)?;
                if clock::now() - begun >= nanoseconds(within)
                    || clock::remaining().is_some_and(|left| left <= nanoseconds(wait))
                {
                    return Err(Unready::Late(error));
                }
            }
        }
        clock::sleep(nanoseconds(wait)).map_err(Unready::Over)?;
        wait = (wait * 2).min(LONGEST_WAIT);
    }
}

/// Returns whether another attempt is useless: the operation ended, or the error is permanent.
fn is_final(error: &Error) -> bool {
    if let Error::Engine(failure) = error {
        // This client may not make the request.
        return matches!(failure.status, 401 | 403 | 405);
    }
    matches!(
        error,
        Error::Cancelled
            | Error::Timeout
            | Error::Denied(_)
            | Error::InvalidArgument(_)
            | Error::Unsupported(_)
            | Error::Other(_)
    )
}

fn try_connection(dial: impl Fn() -> Result<Connection, Error>) -> Result<(), Error> {
    let client = Client::open(dial()?)?;
    if client.workers()?.is_empty() {
        return Err(Error::Unavailable("it has no worker".into()));
    }
    Ok(())
}

/// Returns a duration in nanoseconds, limited to the maximum of the contract.
fn nanoseconds(span: Duration) -> u64 {
    u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)
}
