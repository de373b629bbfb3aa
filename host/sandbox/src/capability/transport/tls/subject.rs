//! Why two sides do not trust each other, in words that help.

use std::io;

use rustls::{AlertDescription, CertificateError, InvalidMessage};

/// What a message is about.
pub(super) struct Subject {
    /// Whose certificate is checked.
    pub(super) address: String,
    /// The name that it has to be for.
    pub(super) name: String,
    /// The options that named the authorities and this side's certificate.
    pub(super) ca: Option<String>,
    pub(super) cert: Option<String>,
}

impl Subject {
    /// Returns why the two sides do not trust each other; `None` where that is not what failed.
    pub(super) fn explain(&self, error: &io::Error) -> Option<String> {
        let error = error.get_ref()?.downcast_ref::<rustls::Error>()?;
        let address = &self.address;
        Some(match error {
            rustls::Error::InvalidCertificate(fault) => self.explain_certificate(fault),
            rustls::Error::AlertReceived(alert) => self.explain_alert(*alert),
            rustls::Error::InvalidMessage(InvalidMessage::InvalidContentType) => format!(
                "{address} does not speak TLS; leave the options about certificates out, or dial \
                 the port that does"
            ),
            rustls::Error::PeerIncompatible(_) => {
                format!("{address} speaks no version of TLS that is safe (1.2 or 1.3): {error}")
            }
            error => format!("TLS with {address} failed: {error}"),
        })
    }

    fn explain_certificate(&self, fault: &CertificateError) -> String {
        let Self { address, name, .. } = self;
        match fault {
            CertificateError::UnknownIssuer => match &self.ca {
                Some(ca) => format!(
                    "the certificate of {address} was not issued by an authority in the file of \
                     option {ca}; give there the certificate of the authority that issued it"
                ),
                None => format!(
                    "the certificate of {address} was not issued by an authority that this system \
                     trusts; name a file with the certificate of the one that issued it"
                ),
            },
            CertificateError::NotValidForNameContext { presented, .. } => format!(
                "the certificate of {address} is not for {name:?} but for {}; dial that name, or \
                 give it as the server's name",
                if presented.is_empty() {
                    "no name at all".to_owned()
                } else {
                    presented
                        .iter()
                        .map(|name| plain_name(name))
                        .collect::<Vec<_>>()
                        .join(", ")
                }
            ),
            CertificateError::NotValidForName => format!(
                "the certificate of {address} is not for {name:?}; dial the name that it is for, \
                 or give it as the server's name"
            ),
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => format!(
                "the certificate of {address} has expired ({fault}); it has to be renewed there, \
                 unless this machine's clock is wrong"
            ),
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => format!(
                "the certificate of {address} is not valid yet ({fault}); is this machine's clock \
                 right?"
            ),
            fault => format!("the certificate of {address} cannot be trusted: {fault}"),
        }
    }

    fn explain_alert(&self, alert: AlertDescription) -> String {
        let address = &self.address;
        match (&self.cert, alert) {
            // Servers that stop at 1.2, and older ones in Go, have no better word for it.
            (
                None,
                AlertDescription::CertificateRequired
                | AlertDescription::BadCertificate
                | AlertDescription::HandshakeFailure,
            ) => format!(
                "{address} wants a certificate of this side (it said {alert:?}); give one and its \
                 key"
            ),
            (
                Some(cert),
                AlertDescription::BadCertificate
                | AlertDescription::UnsupportedCertificate
                | AlertDescription::CertificateRevoked
                | AlertDescription::CertificateExpired
                | AlertDescription::CertificateUnknown
                | AlertDescription::UnknownCA
                | AlertDescription::AccessDenied
                | AlertDescription::CertificateRequired,
            ) => format!(
                "{address} does not accept the certificate of option {cert} (it said {alert:?}); \
                 give one that has not expired, of an authority that it trusts"
            ),
            (_, AlertDescription::UnrecognisedName) => format!(
                "{address} does not know the name {:?}; give the one that its certificate is for \
                 as the server's name",
                self.name
            ),
            (_, AlertDescription::NoApplicationProtocol) => {
                format!("{address} does not speak HTTP/2, and so is no BuildKit")
            }
            (_, alert) => format!("{address} ended TLS: it said {alert:?}"),
        }
    }
}

/// Returns a name of a certificate as a person writes it: the library says `DnsName("b")`, `IpAddress(::1)`.
fn plain_name(presented: &str) -> &str {
    ["DnsName(", "IpAddress("]
        .iter()
        .find_map(|kind| presented.strip_prefix(kind)?.strip_suffix(')'))
        .map_or(presented, |name| name.trim_matches('"'))
}
