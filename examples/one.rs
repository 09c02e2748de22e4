//! scratch
use std::sync::Arc;
#[path = "../benches/tree.rs"]
mod tree;
use switchboard::model::{clock::Timestamp, ems::*, event::*};
use switchboard::switchboard::*;
fn main() {
    let n: usize = std::env::args().nth(1).unwrap().parse().unwrap();
    let sb = Switchboard::load(&tree::Generated::new(1).read(), None).switchboard;
    let ems = Arc::new(Ems {
        id: EmsId(1),
        name: "b".into(),
        provider: "amazon".into(),
        url: None,
        credentials: None,
        enabled: true,
    });
    let body: Arc<str> = include_str!("../benches/api_call.json").into();
    let mut out = vec![];
    for i in 0..n {
        let mut hash = None;
        let a = allocation_counter::measure(|| {
            match sb.parse(&ems, &NativeEvent { body: body.clone() }).unwrap() {
                Parsed::Event(h) => hash = Some(h),
                _ => panic!(),
            }
        });
        let mut d = None;
        let ev = Arc::new(EmsEvent {
            id: None,
            class: EventClass::EmsEvent,
            ems: Some(ems.clone()),
            hash: hash.unwrap(),
            links: Default::default(),
            received_at: Timestamp::UNIX_EPOCH,
        });
        let b = allocation_counter::measure(|| d = Some(sb.deliver(&ev)));
        if i < 3 {
            out.push((a.count_total, b.count_total));
            if i == 2 {
                println!("{:?}", d.unwrap());
            }
        }
    }
    println!("{out:?}");
}
