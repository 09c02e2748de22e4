//! What leaves the program: the one HTTP client, and what rules may describe as an outside effect.
//!
//! Scripts describe, the host sends: [`Outside`] is the checked description, [`Client`] goes where it may and nowhere
//! else. Knows nothing of the database and of who sends.

mod action;
mod address;
mod authorities;
mod client;
mod dot_segments;
mod http_call;
mod manager_client;
mod patience;
mod resolver;
mod value;

pub use action::CommandCall;
pub use action::Email;
pub use action::LogLevel;
pub use action::LogLine;
pub use action::Outside;
pub use action::OutsideError;
pub use client::Client;
pub use client::ClientConfig;
pub use client::OutboundError;
pub use client::Reply;
pub use client::header;
pub use http_call::Body;
pub use http_call::CloudEvent;
pub use http_call::HttpCall;
pub use manager_client::ApiError;
pub use manager_client::ManagerClient;
pub use manager_client::status_line;
pub use patience::retry_after;
pub use resolver::Lookup;
pub use ureq::tls::RootCerts as Authorities;
pub use value::SecretText;
