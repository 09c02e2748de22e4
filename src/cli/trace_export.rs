//! OpenTelemetry: the spans of events, sent over OTLP/HTTP to where `OTEL_EXPORTER_OTLP_ENDPOINT` says.
//!
//! The usual variables of OpenTelemetry count: the endpoint, headers, the service's name, the sampler, the size and
//! the delay of batches. What cannot be sent is dropped, and costs the events nothing.

use std::env;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use opentelemetry::trace::TracerProvider;
use opentelemetry_http::Bytes;
use opentelemetry_http::HttpClient;
use opentelemetry_http::HttpError;
use opentelemetry_http::Request;
use opentelemetry_http::Response;
use opentelemetry_otlp::ExporterBuildError;
use opentelemetry_otlp::SpanExporter;
use opentelemetry_otlp::WithHttpConfig;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::SdkTracer;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tracing::Subscriber;
use tracing::level_filters::LevelFilter;
use tracing_opentelemetry::OpenTelemetryLayer;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::registry::LookupSpan;

use crate::model::event_span;

/// Who says that it sends, unless `OTEL_SERVICE_NAME` does.
const SERVICE: &str = "switchboard";
const SERVICE_NAME: &str = "OTEL_SERVICE_NAME";
/// How long a receiver may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// The spans on their way out.
#[derive(Debug)]
pub(crate) struct TraceExport(SdkTracerProvider);

impl TraceExport {
    /// Begins to send, on a thread of its own.
    ///
    /// # Errors
    /// When the environment names no endpoint that can be called.
    pub(crate) fn start() -> Result<Self, ExporterBuildError> {
        let config = ureq::Agent::config_builder()
            .timeout_global(Some(PATIENCE))
            .http_status_as_error(false)
            .build();
        let client = Client(ureq::Agent::new_with_config(config));
        let exporter = SpanExporter::builder()
            .with_http()
            .with_http_client(client)
            .build()?;
        let mut resource = Resource::builder();
        if env::var_os(SERVICE_NAME).is_none() {
            resource = resource.with_service_name(SERVICE);
        }
        let provider = SdkTracerProvider::builder()
            .with_resource(resource.build())
            .with_batch_exporter(exporter);
        Ok(Self(provider.build()))
    }

    /// What takes the spans of events, and nothing else.
    pub(crate) fn layer<S>(&self) -> impl Layer<S> + use<S>
    where
        S: Subscriber + for<'span> LookupSpan<'span>,
    {
        let spans = Targets::new().with_target(event_span::TARGET, LevelFilter::DEBUG);
        let layer: OpenTelemetryLayer<S, SdkTracer> = OpenTelemetryLayer::new(self.0.tracer(SERVICE));
        layer.with_location(false).with_threads(false).with_filter(spans)
    }
}

impl Drop for TraceExport {
    /// Sends what waits.
    fn drop(&mut self) {
        // A receiver that is down gets nothing, and nobody is left to be told.
        drop(self.0.shutdown());
    }
}

/// The HTTP client of the program; its thread is the exporter's own, so it may block.
#[derive(Debug)]
struct Client(ureq::Agent);

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
