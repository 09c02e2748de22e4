//! OpenTelemetry: the spans of events, sent over OTLP/HTTP to where `OTEL_EXPORTER_OTLP_ENDPOINT` says.
//!
//! The usual variables of OpenTelemetry count: the endpoint, headers, the service's name, the sampler, the size and
//! the delay of batches. What cannot be sent is dropped, and costs the events nothing.

use opentelemetry::trace::TracerProvider;
use opentelemetry_otlp::ExporterBuildError;
use opentelemetry_otlp::SpanExporter;
use opentelemetry_otlp::WithHttpConfig;
use opentelemetry_sdk::trace::SdkTracer;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tracing::Subscriber;
use tracing::level_filters::LevelFilter;
use tracing_opentelemetry::OpenTelemetryLayer;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::registry::LookupSpan;

use crate::cli::otlp;
use crate::model::event_span;

/// The spans on their way out.
#[derive(Debug)]
pub(crate) struct TraceExport(SdkTracerProvider);

impl TraceExport {
    /// Begins to send, on a thread of its own.
    ///
    /// # Errors
    /// When the environment names no endpoint that can be called.
    pub(crate) fn start() -> Result<Self, ExporterBuildError> {
        let exporter = SpanExporter::builder()
            .with_http()
            .with_http_client(otlp::Client::new())
            .build()?;
        let provider = SdkTracerProvider::builder()
            .with_resource(otlp::resource())
            .with_batch_exporter(exporter);
        Ok(Self(provider.build()))
    }

    /// What takes the spans of events, and nothing else.
    pub(crate) fn layer<S>(&self) -> impl Layer<S> + use<S>
    where
        S: Subscriber + for<'span> LookupSpan<'span>,
    {
        let spans = Targets::new().with_target(event_span::TARGET, LevelFilter::DEBUG);
        let layer: OpenTelemetryLayer<S, SdkTracer> = OpenTelemetryLayer::new(self.0.tracer(otlp::SERVICE));
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
