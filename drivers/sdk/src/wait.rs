//! What most drivers do on the way: work that the user watches, and waiting for BuildKit.

use std::time::Duration;

use crate::buildkit_session::Client;
use crate::progress::Task;
use crate::transport::Connection;
use crate::{Error, clock, describe_error};

/// The first try is made at once; waits double up to the longest.
const FIRST_WAIT: Duration = Duration::from_millis(20);
const LONGEST_WAIT: Duration = Duration::from_millis(500);

/// Runs `work` as a step that the user sees, with its outcome.
///
/// # Errors
///
/// That of `work`.
pub fn step<T>(name: &str, work: impl FnOnce(&Task) -> Result<T, Error>) -> Result<T, Error> {
    let task = Task::new(name);
    let result = work(&task);
    let failure = result.as_ref().err().map(describe_error);
    Task::finish(task, failure.as_deref().map_or(Ok(()), Err));
    result
}

/// Why [`wait_for_buildkit`] gave up.
///
/// `?` makes an [`Error`] of it; whoever has more to say matches it first.
#[derive(Debug)]
pub enum Unready {
    /// Waiting any longer makes no sense: the operation is over, something was denied or is wrong
    /// for good, or `is_alive` said so.
    Over(Error),
    /// There was no answer in time; this is how the last try failed.
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

/// Tries until BuildKit answers on a connection of `dial` and has a worker, for at most `within`
/// and no longer than the operation may take. After each try that fails it asks `is_alive`, whose
/// error ends the waiting at once.
///
/// # Errors
///
/// [`Unready`], which `?` makes an [`Error`] of.
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

/// Returns whether asking again makes no difference: the operation is over, or the answer is one that stays.
fn is_final(error: &Error) -> bool {
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

/// Returns a span as the contract counts it; the longest that it can where that is too long.
fn nanoseconds(span: Duration) -> u64 {
    u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)
}
