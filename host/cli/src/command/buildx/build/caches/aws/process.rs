//! A program that prints credentials: the setting `credential_process` of a profile.

use std::process::Stdio;
use std::time::Duration;

use serde::Deserialize;
use tokio::io::AsyncReadExt as _;
use tokio::process::Command;

use super::Keys;

/// Maximum time for the program, as in the AWS SDKs.
const TIME: Duration = Duration::from_secs(60);

/// Maximum size of its output, in bytes.
const OUTPUT: u64 = 64 << 10;

/// The only version of the output.
const VERSION: u32 = 1;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Printed {
    version: u32,
    access_key_id: String,
    secret_access_key: String,
    session_token: Option<String>,
}

/// Runs the program with the shell, as the AWS SDKs do, and reads the keys that it prints. Its messages go to
/// standard error.
///
/// # Errors
///
/// Returns the reason why there are no keys, without the output of the program.
pub(super) fn keys(command: &str) -> Result<Keys, String> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| error.to_string())?;
    let printed = async { tokio::time::timeout(TIME, output(command)).await };
    let Ok(printed) = runtime.block_on(printed) else {
        return Err(format!("it did not end within {} seconds", TIME.as_secs()));
    };
    match serde_json::from_slice(&printed?) {
        Ok(Printed {
            version: VERSION,
            access_key_id: id,
            secret_access_key: secret,
            session_token: token,
        }) => Ok(Keys { id, secret, token }),
        _ => Err("it did not print credentials of version 1".to_owned()),
    }
}

async fn output(command: &str) -> Result<Vec<u8>, String> {
    let mut child = Command::new("/bin/sh")
        .args(["-c", command])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| error.to_string())?;
    let mut printed = Vec::new();
    if let Some(stdout) = child.stdout.take() {
        let read = stdout.take(OUTPUT).read_to_end(&mut printed).await;
        read.map_err(|error| error.to_string())?;
    }
    match child.wait().await {
        Ok(status) if status.success() => Ok(printed),
        Ok(status) => Err(format!("it ended with {status}")),
        Err(error) => Err(error.to_string()),
    }
}
