//! Certificates for tests, created with `openssl`: files `NAME.pem` and `NAME.key` in a directory.
//!
//! Test binaries of several crates include this file.

use std::path::Path;
use std::process::Command;

const NEW_KEY: &str = "req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes";

/// Extensions of a certificate for a server at 127.0.0.1 and localhost.
pub const LOCAL_SERVER: &str =
    "subjectAltName=IP:127.0.0.1,DNS:localhost\nextendedKeyUsage=serverAuth\n";

/// Extensions of a certificate for a client.
pub const CLIENT: &str = "extendedKeyUsage=clientAuth\n";

fn openssl(directory: &Path, arguments: &str) {
    let output = Command::new("openssl")
        .args(arguments.split(' '))
        .current_dir(directory)
        .output()
        .expect("openssl is installed");
    assert!(output.status.success(), "openssl {arguments}: {output:?}");
}

/// Creates an authority.
pub fn authority(directory: &Path, name: &str) {
    openssl(
        directory,
        &format!("{NEW_KEY} -x509 -days 2 -subj /CN={name} -keyout {name}.key -out {name}.pem"),
    );
}

/// Creates a certificate of an existing authority. With zero days it expires within a second.
pub fn certificate(directory: &Path, authority: &str, name: &str, extensions: &str, days: u32) {
    std::fs::write(directory.join(format!("{name}.ext")), extensions).expect("written");
    openssl(
        directory,
        &format!("{NEW_KEY} -subj /CN={name} -keyout {name}.key -out {name}.csr"),
    );
    openssl(
        directory,
        &format!(
            "x509 -req -days {days} -in {name}.csr -CA {authority}.pem -CAkey {authority}.key \
             -CAserial {name}.serial -CAcreateserial -extfile {name}.ext -out {name}.pem"
        ),
    );
}
