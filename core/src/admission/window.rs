//! One window of one budget, as whoever lends sees it: the conservation law.
//!
//! ```text
//! limit = spent + reserved + leased + free
//! ```
//!
//! Nothing is lent or held but what is free. What was lent becomes spent, or free again when the lease has ended.
//!
//! ```
//! use dragoman_core::admission::{Loan, Window};
//! let mut window = Window { limit: 100, ..Window::default() };
//! let mut loan = Loan::default();
//! window.lend(&mut loan, 0, 30);
//! window.spend_of(&mut loan, 10);
//! assert_eq!((window.spent, window.leased, window.free()), (10, 20, 70));
//! ```

/// A part of so many of what is free is lent at one time: whoever comes next finds something too, and the last cents are lent in
/// cents.
const SHARE: u64 = 8;

/// One window of one budget; amounts in its unit, money in micro-dollars.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Window {
    /// What may be spent. May be lowered below what is.
    pub limit: u64,
    /// What is spent.
    pub spent: u64,
    /// What is lent and not spent.
    pub leased: u64,
    /// What is held for exchanges under way.
    pub reserved: u64,
}

/// What one data plane was lent of a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Loan {
    /// Over all.
    pub lent: u64,
    /// Of it: spent, by settled Records.
    pub used: u64,
}

impl Loan {
    /// What is lent and not spent.
    pub fn outstanding(&self) -> u64 {
        self.lent.saturating_sub(self.used)
    }
}

impl Window {
    /// What is left.
    pub fn free(&self) -> u64 {
        self.limit.saturating_sub(self.used())
    }

    /// What is spent, lent and held.
    pub fn used(&self) -> u64 {
        self.spent.saturating_add(self.leased).saturating_add(self.reserved)
    }

    /// Lends to a data plane that has `taken` so much over all and needs `wanted` besides, or whatever a slice is. Never less
    /// than was lent already: what is out is out until the lease ends.
    pub fn lend(&mut self, loan: &mut Loan, taken: u64, wanted: u64) {
        let free = self.free();
        let slice = wanted.max(free / SHARE);
        let more = taken.saturating_add(slice).saturating_sub(loan.lent).min(free);
        loan.lent = loan.lent.saturating_add(more);
        self.leased = self.leased.saturating_add(more);
    }

    /// Holds so much for one exchange; false when there is not so much.
    pub fn hold(&mut self, amount: u64) -> bool {
        let holds = amount <= self.free();
        if holds {
            self.reserved = self.reserved.saturating_add(amount);
        }
        holds
    }

    /// Gives back what was held.
    pub fn release(&mut self, amount: u64) {
        self.reserved = self.reserved.saturating_sub(amount);
    }

    /// Something was spent that nobody was lent.
    pub fn spend(&mut self, amount: u64) {
        self.spent = self.spent.saturating_add(amount);
    }

    /// Something was spent of a loan, or beyond it.
    pub fn spend_of(&mut self, loan: &mut Loan, amount: u64) {
        let before = loan.outstanding();
        loan.used = loan.used.saturating_add(amount);
        self.leased = self.leased.saturating_sub(before.saturating_sub(loan.outstanding()));
        self.spend(amount);
    }

    /// A lease has ended: what is not spent of it is free again. What its Records still bring is spent all the same.
    pub fn take_back(&mut self, loan: &mut Loan) {
        self.leased = self.leased.saturating_sub(loan.outstanding());
        loan.lent = loan.used.min(loan.lent);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[derive(Clone, Copy, Debug)]
    enum Do {
        Lend(usize, u64, u64),
        Spend(usize, u64),
        TakeBack(usize),
        Hold(u64),
        Settle(u64),
    }

    fn anything() -> impl Strategy<Value = Do> {
        prop_oneof![
            (0..3_usize, 0..200_u64, 0..200_u64).prop_map(|(who, taken, wanted)| Do::Lend(who, taken, wanted)),
            (0..3_usize, 0..100_u64).prop_map(|(who, amount)| Do::Spend(who, amount)),
            (0..3_usize).prop_map(Do::TakeBack),
            (0..300_u64).prop_map(Do::Hold),
            (0..300_u64).prop_map(Do::Settle),
        ]
    }

    proptest! {
        #[test]
        fn what_is_lent_held_spent_and_free_is_the_limit(deeds in proptest::collection::vec(anything(), 0..60)) {
            let mut window = Window { limit: 1000, ..Window::default() };
            let mut loans = [Loan::default(); 3];
            let mut held = 0;
            for deed in deeds {
                match deed {
                    Do::Lend(who, taken, wanted) => {
                        let taken = loans[who].used + taken;
                        window.lend(&mut loans[who], taken, wanted);
                    }
                    // Within its loan, as purses do when the worst case was reserved.
                    Do::Spend(who, amount) => {
                        let amount = amount.min(loans[who].outstanding());
                        window.spend_of(&mut loans[who], amount);
                    }
                    Do::TakeBack(who) => window.take_back(&mut loans[who]),
                    Do::Hold(amount) => held += if window.hold(amount) { amount } else { 0 },
                    Do::Settle(amount) => {
                        let amount = amount.min(held);
                        held -= amount;
                        window.release(amount);
                        window.spend(amount);
                    }
                }
                let outstanding: u64 = loans.iter().map(Loan::outstanding).sum();
                prop_assert_eq!((window.leased, window.reserved), (outstanding, held));
                prop_assert_eq!(window.limit, window.spent + window.reserved + window.leased + window.free());
            }
        }
    }

    #[test]
    fn a_call_that_comes_twice_lends_once() {
        let mut window = Window { limit: 800, ..Window::default() };
        let mut loan = Loan::default();
        window.lend(&mut loan, 0, 10);
        let once = (window, loan);
        assert_eq!(loan.lent, 100);
        window.lend(&mut loan, 0, 10);
        assert_eq!((window, loan), once);
    }

    #[test]
    fn the_last_of_a_budget_is_lent_in_ever_smaller_parts_but_never_less_than_is_needed() {
        let mut window = Window { limit: 64, ..Window::default() };
        let mut loans = [Loan::default(); 4];
        loans.iter_mut().for_each(|loan| window.lend(loan, 0, 0));
        assert_eq!(loans.map(|loan| loan.lent), [8, 7, 6, 5]);
        window.lend(&mut loans[0], 8, 30);
        assert_eq!((loans[0].lent, window.free()), (38, 8));
        window.lend(&mut loans[1], 0, 100);
        assert_eq!((loans[1].lent, window.free()), (15, 0));
    }

    #[test]
    fn more_than_was_lent_is_spent_all_the_same() {
        let mut window = Window { limit: 10, ..Window::default() };
        let mut loan = Loan::default();
        window.lend(&mut loan, 0, 4);
        window.spend_of(&mut loan, 14);
        assert_eq!((window.spent, window.leased, window.free()), (14, 0, 0));
        window.take_back(&mut loan);
        assert_eq!((window.leased, loan.lent), (0, 4));
    }
}
