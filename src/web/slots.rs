//! How many connections are open, of all callers and of each address.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use parking_lot::Mutex;

/// The connections that may be open at once.
#[derive(Debug)]
pub(crate) struct Slots {
    total: usize,
    per_address: usize,
    open: Mutex<HashMap<IpAddr, usize>>,
}

/// One open connection; given back when dropped.
#[derive(Debug)]
pub(crate) struct Slot {
    slots: Arc<Slots>,
    address: IpAddr,
}

impl Slots {
    pub(crate) fn new(total: usize, per_address: usize) -> Arc<Self> {
        Arc::new(Self {
            total,
            per_address,
            open: Mutex::default(),
        })
    }

    /// A slot for one more connection of an address, unless it or everybody has too many.
    pub(crate) fn take(self: &Arc<Self>, address: IpAddr) -> Option<Slot> {
        let address = address.to_canonical();
        let mut open = self.open.lock();
        let all: usize = open.values().sum();
        let own = open.get(&address).copied().unwrap_or(0);
        if all >= self.total || own >= self.per_address {
            return None;
        }
        open.insert(address, own + 1);
        let slots = self.clone();
        Some(Slot { slots, address })
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut open = self.slots.open.lock();
        match open.get_mut(&self.address) {
            Some(own) if *own > 1 => *own -= 1,
            _last => {
                open.remove(&self.address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_and_everybody_have_a_limit_and_slots_come_back() {
        let slots = Slots::new(3, 2);
        let [a, b, c] = [1, 2, 3].map(|last| IpAddr::from([10, 0, 0, last]));
        let first = slots.take(a).unwrap();
        let _second = slots.take(a).unwrap();
        assert!(slots.take(a).is_none(), "two of one address");
        let _third = slots.take(b).unwrap();
        assert!(slots.take(c).is_none(), "three of all");
        drop(first);
        assert!(slots.take(c).is_some());
    }
}
