//! `/metrics`: the figures of every stage, as Prometheus reads them.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::fmt::Write;
use std::sync::Arc;
use std::sync::Weak;

use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header;
use axum::response::IntoResponse;
use axum::response::Response;
use parking_lot::Mutex;

use crate::model::metric::MetricKind;
use crate::model::metric::Reading;
use crate::model::metric::Sample;
use crate::web::Shared;
use crate::web::problem::Problem;

/// Answers by route and status.
#[derive(Debug, Default)]
pub(crate) struct RequestCounts(Mutex<BTreeMap<(Arc<str>, u16), u64>>);

impl RequestCounts {
    pub(crate) fn add(&self, route: &str, status: StatusCode) {
        *self
            .0
            .lock()
            .entry((Arc::from(route), status.as_u16()))
            .or_default() += 1;
    }

    fn samples(&self) -> Vec<Sample> {
        let counts = self.0.lock();
        let sample = |((route, status), count): (&(Arc<str>, u16), &u64)| {
            Sample::counter(
                "switchboard_http_requests_total",
                "Requests answered, by route and status.",
                *count,
            )
            .label("route", route.clone())
            .label("status", status.to_string())
        };
        counts.iter().map(sample).collect()
    }
}

/// The figures of every stage, for whoever watches them otherwise than by `/metrics`.
#[derive(Clone, Debug)]
pub struct Figures(Weak<Shared>);

impl Figures {
    pub(crate) fn new(shared: &Arc<Shared>) -> Self {
        Self(Arc::downgrade(shared))
    }

    /// All of them now; none once the web has ended. Some of them are asked of the database, which blocks.
    pub fn samples(&self) -> Vec<Sample> {
        self.0
            .upgrade()
            .map(|shared| samples(&shared))
            .unwrap_or_default()
    }
}

fn samples(shared: &Shared) -> Vec<Sample> {
    let stages = shared.services.samples.iter().flat_map(|samples| samples());
    let web = shared
        .requests
        .samples()
        .into_iter()
        .chain(shared.refusals.samples())
        .chain([shared.live.sample()]);
    web.chain(stages).collect()
}

/// All figures.
pub(crate) async fn show(State(shared): State<Arc<Shared>>) -> Result<Response, Problem> {
    let looked = tokio::task::spawn_blocking(move || text(&samples(&shared))).await;
    let text = looked.map_err(|error| Problem::failed(format!("cannot look: {error}")))?;
    let head = [(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")];
    Ok((head, text).into_response())
}

/// Prometheus' text form: samples of one name together, each name explained once.
fn text(samples: &[Sample]) -> String {
    let mut by_name: BTreeMap<&str, Vec<&Sample>> = BTreeMap::new();
    for sample in samples {
        by_name.entry(sample.name).or_default().push(sample);
    }
    let mut text = String::new();
    for (name, samples) in by_name {
        if let Some(first) = samples.first() {
            let kind = match first.kind {
                MetricKind::Counter => "counter",
                MetricKind::Gauge => "gauge",
                MetricKind::Histogram => "histogram",
            };
            push(
                &mut text,
                format_args!("# HELP {name} {}\n# TYPE {name} {kind}\n", first.help),
            );
        }
        for sample in samples {
            match &sample.reading {
                Reading::Number(value) => line(&mut text, name, sample, None, value),
                Reading::Durations(durations) => {
                    let bucket = format!("{name}_bucket");
                    for (end, count) in durations.ends() {
                        line(&mut text, &bucket, sample, Some(&end), &count);
                    }
                    line(&mut text, &format!("{name}_sum"), sample, None, &durations.sum);
                    line(
                        &mut text,
                        &format!("{name}_count"),
                        sample,
                        None,
                        &durations.count,
                    );
                }
            }
        }
    }
    text
}

/// One line: the labels of a sample, and for a bucket its upper end.
fn line(text: &mut String, name: &str, sample: &Sample, up_to: Option<&str>, value: &dyn Display) {
    let labels = sample.labels.iter().map(|(label, value)| (*label, &**value));
    let labels: Vec<String> = labels
        .chain(up_to.map(|up_to| ("le", up_to)))
        .map(|(label, value)| format!("{label}=\"{}\"", escaped(value)))
        .collect();
    match labels.is_empty() {
        true => push(text, format_args!("{name} {value}\n")),
        false => push(text, format_args!("{name}{{{}}} {value}\n", labels.join(","))),
    }
}

fn push(text: &mut String, line: std::fmt::Arguments<'_>) {
    // Writing to a text cannot fail.
    let _written = text.write_fmt(line);
}

fn escaped(value: &str) -> String {
    value
        .replace('\\', r"\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    use expect_test::expect;

    #[test]
    fn samples_of_one_name_stand_together() {
        let counter = |ems: &str, value| Sample::counter("events_total", "Events.", value).label("ems", ems);
        let samples = [
            counter("a\"\\\n", 1),
            Sample::gauge("age_seconds", "Age.", 0.5),
            counter("b", 20),
        ];
        expect![[r#"
            # HELP age_seconds Age.
            # TYPE age_seconds gauge
            age_seconds 0.5
            # HELP events_total Events.
            # TYPE events_total counter
            events_total{ems="a\"\\\n"} 1
            events_total{ems="b"} 20
        "#]]
        .assert_eq(&text(&samples));
    }
}
