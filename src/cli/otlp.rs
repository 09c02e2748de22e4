//! OpenTelemetry over OTLP/HTTP: what spans and figures have in common on their way to a receiver.

use std::env;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use opentelemetry_http::Bytes;
use opentelemetry_http::HttpClient;
use opentelemetry_http::HttpError;
use opentelemetry_http::Request;
use opentelemetry_http::Response;
use opentelemetry_sdk::Resource;

/// Who says that it sends, unless `OTEL_SERVICE_NAME` does.
pub(crate) const SERVICE: &str = "switchboard";
const SERVICE_NAME: &str = "OTEL_SERVICE_NAME";
/// How long a receiver may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Who sends.
pub(crate) fn resource() -> Resource {
    let mut resource = Resource::builder();
    if env::var_os(SERVICE_NAME).is_none() {
        resource = resource.with_service_name(SERVICE);
    }
    resource.build()
}

/// The HTTP client of the program; the threads of exporters are their own, so it may block.
#[derive(Debug)]
pub(crate) struct Client(ureq::Agent);

impl Client {
    pub(crate) fn new() -> Self {
        let config = ureq::Agent::config_builder()
            .timeout_global(Some(PATIENCE))
            .http_status_as_error(false)
            .build();
        Self(ureq::Agent::new_with_config(config))
    }
}

impl HttpClient for Client {
    fn send_bytes<'a, 'b>(
        &'a self,
        request: Request<Bytes>,
    ) -> Pin<Box<dyn Future<Output = Result<Response<Bytes>, HttpError>> + Send + 'b>>
    where
        'a: 'b,
        Self: 'b,
    {
        Box::pin(async move {
            let response = self.0.run(request.map(|body| body.to_vec()))?;
            let (head, mut body) = response.into_parts();
            Ok(Response::from_parts(head, body.read_to_vec()?.into()))
        })
    }
}
