//! OpenTelemetry: the figures of `/metrics`, sent over OTLP/HTTP to where `OTEL_EXPORTER_OTLP_ENDPOINT` says.
//!
//! Each family is an observable instrument of the same name. A histogram is three, as in Prometheus' text: `_bucket` by
//! `le`, `_sum` and `_count`; OpenTelemetry has no histogram that is looked at.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::Weak;
use std::time::Duration;

use opentelemetry::KeyValue;
use opentelemetry::StringValue;
use opentelemetry::metrics::AsyncInstrument;
use opentelemetry::metrics::Meter;
use opentelemetry::metrics::MeterProvider;
use opentelemetry_otlp::MetricExporter;
use opentelemetry_otlp::WithHttpConfig;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::metrics::PeriodicReader;
use opentelemetry_sdk::metrics::SdkMeterProvider;
use opentelemetry_sdk::metrics::Temporality;
use opentelemetry_sdk::metrics::data::ResourceMetrics;
use opentelemetry_sdk::metrics::exporter::PushMetricExporter;
use parking_lot::Mutex;

use crate::cli::error::CliError;
use crate::cli::logging::has_receiver;
use crate::cli::otlp;
use crate::model::metric::MetricKind;
use crate::model::metric::Reading;
use crate::model::metric::Sample;
use crate::web::Figures;

/// How long the end of the program waits for a receiver that does not answer.
const PATIENCE: Duration = Duration::from_secs(2);

/// The figures on their way out.
pub(crate) struct MetricExport {
    provider: SdkMeterProvider,
    /// Here alone, so that nothing is looked at once it is over.
    _instruments: Arc<Instruments>,
}

impl MetricExport {
    /// Begins to send, where the environment says to whom, on a thread of its own: every minute, or as
    /// `OTEL_METRIC_EXPORT_INTERVAL` says.
    ///
    /// # Errors
    /// When the environment names an endpoint that cannot be called.
    pub(crate) fn start(figures: Figures) -> Result<Option<Self>, CliError> {
        if !has_receiver("METRICS") {
            return Ok(None);
        }
        let exporter = MetricExporter::builder()
            .with_http()
            .with_http_client(otlp::Client::new())
            .build()
            .map_err(|error| CliError::failed("cannot send figures", error))?;
        let instruments = Arc::new(Instruments {
            figures,
            seen: Mutex::default(),
            known: Mutex::default(),
            meter: OnceLock::new(),
        });
        let exporter = LookingExporter {
            exporter,
            instruments: Arc::downgrade(&instruments),
        };
        let provider = SdkMeterProvider::builder()
            .with_resource(otlp::resource())
            .with_reader(PeriodicReader::builder(exporter).build())
            .build();
        instruments.meter.get_or_init(|| provider.meter(otlp::SERVICE));
        instruments.seen();
        instruments.end_look();
        Ok(Some(Self {
            provider,
            _instruments: instruments,
        }))
    }
}

impl fmt::Debug for MetricExport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MetricExport")
    }
}

impl Drop for MetricExport {
    /// Sends the figures a last time.
    fn drop(&mut self) {
        // A receiver that is down gets nothing, and nobody is left to be told.
        drop(self.provider.shutdown_with_timeout(PATIENCE));
    }
}

/// One instrument each for the families that were seen.
struct Instruments {
    figures: Figures,
    /// What one look saw: all instruments of one collection show the same moment.
    seen: Mutex<Option<Arc<[Sample]>>>,
    known: Mutex<BTreeSet<&'static str>>,
    meter: OnceLock<Meter>,
}

impl Instruments {
    fn seen(&self) -> Arc<[Sample]> {
        let mut seen = self.seen.lock();
        seen.get_or_insert_with(|| self.figures.samples().into()).clone()
    }

    /// Ends a collection. Families that came up in it have instruments in the next one: while it lasts, none can be
    /// made.
    fn end_look(self: &Arc<Self>) {
        let Some(seen) = self.seen.lock().take() else {
            return;
        };
        for sample in seen.iter() {
            if self.known.lock().insert(sample.name) {
                self.make(sample);
            }
        }
    }

    fn make(self: &Arc<Self>, sample: &Sample) {
        let Some(meter) = self.meter.get() else { return };
        for part in Part::of(sample) {
            let name = format!("{}{}", sample.name, part.suffix());
            let (instruments, family) = (Arc::downgrade(self), sample.name);
            let show = move |instrument: &dyn AsyncInstrument<f64>| {
                let seen = instruments.upgrade().map(|instruments| instruments.seen());
                let family = seen
                    .iter()
                    .flat_map(|seen| seen.iter())
                    .filter(|sample| sample.name == family);
                family.for_each(|sample| part.show(sample, instrument));
            };
            // The meter keeps it.
            match sample.kind {
                MetricKind::Gauge => drop(
                    meter
                        .f64_observable_gauge(name)
                        .with_description(sample.help)
                        .with_callback(show)
                        .build(),
                ),
                MetricKind::Counter | MetricKind::Histogram => drop(
                    meter
                        .f64_observable_counter(name)
                        .with_description(sample.help)
                        .with_callback(show)
                        .build(),
                ),
            }
        }
    }
}

/// What an instrument shows of a sample.
#[derive(Clone, Copy)]
enum Part {
    Number,
    Buckets,
    Sum,
    Count,
}

impl Part {
    fn of(sample: &Sample) -> &'static [Self] {
        match sample.reading {
            Reading::Number(_) => &[Self::Number],
            Reading::Durations(_) => &[Self::Buckets, Self::Sum, Self::Count],
        }
    }

    fn suffix(self) -> &'static str {
        match self {
            Self::Number => "",
            Self::Buckets => "_bucket",
            Self::Sum => "_sum",
            Self::Count => "_count",
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "a count beyond 2^53 is out of reach")]
    fn show(self, sample: &Sample, instrument: &dyn AsyncInstrument<f64>) {
        let labels = sample.labels.iter();
        let labels = labels.map(|(label, value)| KeyValue::new(*label, StringValue::from(value.clone())));
        let mut labels: Vec<KeyValue> = labels.collect();
        match (self, &sample.reading) {
            (Self::Number, Reading::Number(number)) => instrument.observe(*number, &labels),
            (Self::Buckets, Reading::Durations(durations)) => {
                for (end, count) in durations.ends() {
                    labels.push(KeyValue::new("le", end));
                    instrument.observe(count as f64, &labels);
                    labels.pop();
                }
            }
            (Self::Sum, Reading::Durations(durations)) => instrument.observe(durations.sum, &labels),
            (Self::Count, Reading::Durations(durations)) => {
                instrument.observe(durations.count as f64, &labels);
            }
            (Self::Number, Reading::Durations(_)) | (_, Reading::Number(_)) => (),
        }
    }
}

/// Comes last in a collection, and ends it.
struct LookingExporter {
    exporter: MetricExporter,
    instruments: Weak<Instruments>,
}

impl PushMetricExporter for LookingExporter {
    fn export(&self, metrics: &ResourceMetrics) -> impl Future<Output = OTelSdkResult> + Send {
        if let Some(instruments) = self.instruments.upgrade() {
            instruments.end_look();
        }
        self.exporter.export(metrics)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.exporter.force_flush()
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.exporter.shutdown_with_timeout(timeout)
    }

    fn temporality(&self) -> Temporality {
        self.exporter.temporality()
    }
}
