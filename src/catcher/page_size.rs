//! How many events a stream asks for at once: fewer after a page that could not be read, more again while all goes
//! well. So what can be read before something that cannot is kept, and the fault is narrowed down to one event.

/// So many pages have to go well before twice as many events are asked for.
const STEADY: u32 = 8;

/// How many events are asked for at once.
#[derive(Debug, Default)]
pub(crate) struct PageSize {
    /// Fewer than the settings say.
    most: Option<usize>,
    /// So many pages went well since that changed.
    went_well: u32,
}

impl PageSize {
    /// How many to ask for, where the settings say so many.
    pub(crate) fn of(&self, wanted: usize) -> usize {
        self.most.map_or(wanted, |most| most.min(wanted)).max(1)
    }

    /// A page of so many could not be read: half as many are asked for. False where it was one already.
    pub(crate) fn went_wrong(&mut self, asked: usize) -> bool {
        self.went_well = 0;
        if asked < 2 {
            return false;
        }
        self.most = Some(asked / 2);
        true
    }

    /// A page was read, where the settings say so many.
    pub(crate) fn went_well(&mut self, wanted: usize) {
        let Some(most) = self.most else {
            return;
        };
        self.went_well += 1;
        if STEADY <= self.went_well {
            self.went_well = 0;
            self.most = Some(most * 2).filter(|most| *most < wanted);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_halves_down_to_one_and_doubles_up_to_what_is_wanted() {
        let mut size = PageSize::default();
        let mut asked = Vec::new();
        while size.went_wrong(size.of(100)) {
            asked.push(size.of(100));
        }
        assert_eq!(asked, [50, 25, 12, 6, 3, 1]);
        let mut grown = Vec::new();
        for page in 0..60 {
            size.went_well(100);
            if page % STEADY == STEADY - 1 {
                grown.push(size.of(100));
            }
        }
        assert_eq!(grown, [2, 4, 8, 16, 32, 64, 100]);
        // What the settings say counts as soon as it is less.
        size.went_wrong(size.of(100));
        assert_eq!((size.of(100), size.of(7), size.of(0)), (50, 7, 1));
    }

    #[test]
    fn a_fault_begins_the_count_anew() {
        let mut size = PageSize::default();
        size.went_wrong(100);
        (1..STEADY).for_each(|_| size.went_well(100));
        size.went_wrong(50);
        (1..STEADY).for_each(|_| size.went_well(100));
        assert_eq!(size.of(100), 25);
        size.went_well(100);
        assert_eq!(size.of(100), 50);
    }
}
