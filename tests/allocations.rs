//! What costs no memory. A binary of its own: to count what is allocated makes texts that grow slow for all others.

use std::sync::Arc;

use parking_lot::Mutex;
use switchboard::model::delivery::RulesId;
use switchboard::model::event::EventId;
use switchboard::model::event_span;

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn spans_cost_nothing_where_nobody_listens_for_them() {
    let spans = || {
        let catch = event_span::catch("cloud", RulesId(7));
        event_span::is_of_type(&catch, "vm.create");
        event_span::caught(&catch, EventId(7));
        let handle = event_span::handle(EventId(7), "cloud", Some("vm.create"), RulesId(7));
        handle.in_scope(|| event_span::decide().in_scope(|| ()));
        drop(event_span::commit(&handle));
    };
    let log = Log::default();
    let writer = log.clone();
    let usual = tracing_subscriber::fmt()
        .with_env_filter("info")
        .with_writer(move || writer.clone())
        .finish();
    let counted = tracing::subscriber::with_default(usual, || {
        // What is made once, at the first look.
        spans();
        allocation_counter::measure(|| (0..1_000).for_each(|_| spans()))
    });
    assert_eq!(counted.count_total, 0);
    assert!(log.0.lock().is_empty());
}
