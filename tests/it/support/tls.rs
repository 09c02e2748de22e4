//! A TLS front before a plain HTTP server on loopback, with a certificate that a test chooses.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::io::Read;
use std::io::Write;
use std::net::SocketAddr;
use std::net::TcpListener;
use std::net::TcpStream;
use std::sync::Arc;
use std::thread;

use rcgen::CertificateParams;
use rcgen::KeyPair;
use rustls::ServerConfig;
use rustls::ServerConnection;
use rustls::StreamOwned;
use rustls::crypto::ring;
use rustls::pki_types::PrivateKeyDer;

/// The front, listening until the test ends.
pub(crate) struct TlsFront {
    address: SocketAddr,
    /// The certificate, which is its own authority.
    pub(crate) pem: String,
}

impl TlsFront {
    /// With a certificate for `name`, which is good until the end of `last_year`.
    pub(crate) fn start(behind: SocketAddr, name: &str, last_year: i32) -> Self {
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.not_before = rcgen::date_time_ymd(2020, 1, 1);
        params.not_after = rcgen::date_time_ymd(last_year, 12, 31);
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        let pem = certificate.pem();
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(
                vec![certificate.der().clone()],
                PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
            )
            .unwrap();
        let config = Arc::new(config);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let config = config.clone();
                // A caller that does not trust the certificate goes away; that is its business.
                thread::spawn(move || drop(relay(stream.unwrap(), config, behind)));
            }
        });
        Self { address, pem }
    }

    pub(crate) fn url(&self) -> String {
        format!("https://{}", self.address)
    }
}

/// One request and its answer.
fn relay(stream: TcpStream, config: Arc<ServerConfig>, behind: SocketAddr) -> std::io::Result<()> {
    let connection = ServerConnection::new(config).unwrap();
    let mut outside = StreamOwned::new(connection, stream);
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        outside.read_exact(&mut byte)?;
        head.extend_from_slice(&byte);
    }
    let mut inside = TcpStream::connect(behind)?;
    inside.write_all(&head)?;
    let mut answer = Vec::new();
    inside.read_to_end(&mut answer)?;
    outside.write_all(&answer)?;
    outside.conn.send_close_notify();
    outside.flush()
}
