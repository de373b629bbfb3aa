//! `iechor buildx dial-stdio`

use clap::Args;
use iechor_builder::BuilderError;
use iechor_builder::connection::{Connection, Stream};
use iechor_builder::lifecycle;
use iechor_builder::store::Platform;
use iechor_progress::Mode;
use tokio::io::{AsyncWriteExt as _, copy, split};

use crate::session::{self, Common};
use crate::terminal::Display;

/// Connect standard input and output to the BuildKit of a builder
///
/// For programs that speak BuildKit's gRPC protocol. The builder is booted if it does not run. The command
/// ends when BuildKit closes the connection; the end of standard input is passed on to BuildKit.
#[derive(Debug, Args)]
pub struct DialStdio {
    /// Platform that chooses the node [environment: DOCKER_DEFAULT_PLATFORM]
    #[arg(long)]
    platform: Option<String>,
    /// Type of progress output on standard error: auto, none, plain, rawjson or tty
    #[arg(long, default_value = "none")]
    progress: String,
}

impl DialStdio {
    /// Connects, and copies until BuildKit closes the connection.
    pub fn run(self, common: &Common) -> anyhow::Result<()> {
        let mode: Mode = self.progress.parse()?;
        let platform = self
            .platform
            .or_else(|| std::env::var("DOCKER_DEFAULT_PLATFORM").ok())
            .filter(|platform| !platform.is_empty());
        session::change(common, |workspace| async move {
            let platform = platform.map(|text| text.parse::<Platform>());
            let platform = platform.transpose().map_err(BuilderError::from)?;
            let group = workspace.builder(None)?;
            lifecycle::touch(&workspace, &group)?;
            let display = Display::start(mode, None)?;
            let opened = Connection::open(&workspace, &group, platform.as_ref(), display.sender());
            let copied = match opened.await {
                Ok(Connection { stream, shown }) => {
                    let copied = async { proxy(stream).await.map_err(BuilderError::Proxy) };
                    let copied = workspace.unless_cancelled("the connection", copied).await;
                    let outcome = copied.as_ref().map(|()| ());
                    shown.end(outcome.map_err(ToString::to_string)).await;
                    copied
                }
                Err(error) => Err(error),
            };
            display.finish().await?;
            Ok(copied?)
        })
    }
}

/// Copies both directions. The end of standard input ends one direction only: BuildKit may still answer.
#[expect(
    clippy::disallowed_methods,
    reason = "standard output is a stream of bytes, which are written unchanged"
)]
async fn proxy(stream: Stream) -> std::io::Result<()> {
    let (mut from_daemon, mut to_daemon) = split(stream);
    let sending = async {
        // A failure ends the direction as well: BuildKit ends the connection then, or has ended it.
        let _ = copy(&mut tokio::io::stdin(), &mut to_daemon).await;
        let _ = to_daemon.shutdown().await;
        std::future::pending::<()>().await;
    };
    let mut output = tokio::io::stdout(); // a stream of bytes
    let receiving = async {
        copy(&mut from_daemon, &mut output).await?;
        output.flush().await
    };
    tokio::select! {
        biased;
        received = receiving => match received {
            // The reader of standard output has gone: it ended the connection.
            Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
            received => received,
        },
        () = sending => Ok(()),
    }
}
