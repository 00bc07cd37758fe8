use super::*;
use proptest::prelude::*;

const MONTH: &str = "acme/tokens/month";

fn grant(budgets: Vec<Budget>) -> Arc<[Budget]> {
    budgets.into()
}

fn tokens() -> Budget {
    Budget::of("acme", Unit::Tokens, "month")
}

fn lease(id: &str, window_ms: u64, lent: u64) -> Lease {
    Lease { id: id.into(), window_ms, lent, valid_for_ms: 1000, limit: 100, ..Lease::default() }
}

fn purse(leases: &[Lease]) -> Purse {
    let mut purse = Purse::default();
    purse.learn(&Leases { list: leases.to_vec() }, 0);
    purse
}

fn take(purse: &mut Purse, grant: &Arc<[Budget]>, tokens: u64, now_ms: u64) -> Result<Reservation, Short> {
    purse.reserve(grant, "x", Amounts { usd: 0, tokens, requests: 1 }, Manner::AsAsked, now_ms)
}

#[test]
fn leases_read_back_as_written() {
    let full = Lease {
        spent: 2,
        is_all: true,
        is_held: true,
        used: 9,
        resets_in_ms: Some(5),
        tell_from: 50,
        ..lease("a/usd/day", 7, 3)
    };
    let leases = Leases { list: vec![lease("k\"/tokens/total", 0, 1), full] };
    assert_eq!(Leases::read(&leases.write()), Some(leases));
    assert_eq!(Leases::read(b"[{}]"), None);
}

#[test]
fn a_warm_lease_serves_until_it_is_used_up_and_what_was_not_needed_comes_back() {
    let grant = grant(vec![tokens()]);
    let mut purse = purse(&[lease(MONTH, 1, 100)]);
    let one = take(&mut purse, &grant, 60, 0).unwrap();
    assert_eq!(take(&mut purse, &grant, 60, 0).unwrap_err(), Short::Ask(vec![MONTH.into()]));
    assert_eq!(purse.wants(&[MONTH.into()]), [Want { id: MONTH.into(), window_ms: 1, taken: 60, wanted: 60 }]);
    purse.true_up(&one, |_| Amounts { usd: 0, tokens: 10, requests: 1 });
    assert!(take(&mut purse, &grant, 90, 999).is_ok());
    assert!(matches!(take(&mut purse, &grant, 0, 1000), Err(Short::Ask(_))), "the lease has ended");
}

#[test]
fn those_who_wait_for_one_answer_are_asked_for_with_the_next() {
    let grant = grant(vec![tokens()]);
    let mut purse = Purse::default();
    assert!(take(&mut purse, &grant, 10, 0).is_err());
    assert_eq!(purse.wants(&[MONTH.into()])[0].wanted, 10);
    for _ in 0..5 {
        assert!(take(&mut purse, &grant, 10, 0).is_err(), "the answer is on its way");
    }
    purse.learn(&Leases { list: vec![lease(MONTH, 1, 10)] }, 0);
    assert!(take(&mut purse, &grant, 10, 0).is_ok());
    assert!(take(&mut purse, &grant, 10, 0).is_err());
    assert_eq!(purse.wants(&[MONTH.into()])[0].wanted, 50);
}

#[test]
fn nothing_is_taken_of_one_budget_when_another_has_no_room() {
    let other = Budget::of("key_1", Unit::Requests, "minute");
    let grant = grant(vec![tokens(), other]);
    let mut purse = purse(&[lease(MONTH, 1, 10), lease("key_1/requests/minute", 1, 0)]);
    assert!(take(&mut purse, &grant, 10, 0).is_err());
    purse.learn(&Leases { list: vec![lease("key_1/requests/minute", 1, 1)] }, 0);
    assert!(take(&mut purse, &grant, 10, 0).is_ok());
}

#[test]
fn what_is_spent_is_refused_without_a_question_for_a_moment() {
    let grant = grant(vec![tokens()]);
    let mut purse = purse(&[Lease { is_all: true, ..lease(MONTH, 1, 5) }]);
    assert!(matches!(take(&mut purse, &grant, 6, 0), Err(Short::Spent(0, _))));
    assert!(take(&mut purse, &grant, 5, 0).is_ok());
    assert!(matches!(take(&mut purse, &grant, 6, DRY_MS), Err(Short::Ask(_))));
}

#[test]
fn a_budget_may_warn_or_lead_to_a_cheaper_route_instead() {
    let all = Lease { is_all: true, ..lease(MONTH, 1, 0) };
    let warning = grant(vec![Budget { at_limit: AtLimit::Warn, ..tokens() }]);
    let passed = take(&mut purse(std::slice::from_ref(&all)), &warning, 6, 0).unwrap();
    assert_eq!(passed.beyond().map(|budget| budget.id.as_str()).collect::<Vec<_>>(), [MONTH]);
    let leading = grant(vec![Budget { at_limit: AtLimit::Downgrade("cheap".into()), ..tokens() }]);
    let mut purse = purse(&[all]);
    assert_eq!(take(&mut purse, &leading, 6, 0).unwrap_err(), Short::Downgrade("cheap".into()));
    assert!(purse.reserve(&leading, "x", Amounts::default(), Manner::Downgraded, 0).is_ok());
}

#[test]
fn a_strict_budget_is_held_by_the_control_plane_for_each_exchange() {
    let grant = grant(vec![Budget { mode: Mode::Strict, ..tokens() }]);
    let mut purse = Purse::default();
    let Err(Short::AskToHold(wants)) = take(&mut purse, &grant, 6, 0) else { panic!() };
    assert_eq!(wants, [Want { id: MONTH.into(), window_ms: 0, taken: 0, wanted: 6 }]);
    purse.learn_held("x".into(), Leases { list: vec![Lease { is_held: true, ..lease(MONTH, 7, 0) }] });
    let held = take(&mut purse, &grant, 6, 0).unwrap();
    assert_eq!(held.charges().map(|(budget, window)| (budget.id.as_str(), window)).collect::<Vec<_>>(), [(MONTH, 7)]);
    purse.learn_held("x".into(), Leases { list: vec![lease(MONTH, 7, 0)] });
    assert!(matches!(take(&mut purse, &grant, 6, 0), Err(Short::Spent(0, _))));
    purse.forget_held("x");
    assert!(matches!(take(&mut purse, &grant, 6, 0), Err(Short::AskToHold(_))));
}

#[test]
fn without_the_control_plane_a_budget_is_closed_or_open_up_to_a_cap() {
    let away = |purse: &mut Purse, grant: &Arc<[Budget]>, tokens| {
        purse.reserve_away(grant, Amounts { usd: 0, tokens, requests: 1 }, Manner::AsAsked, 0).map(|_| ())
    };
    let closed = grant(vec![tokens()]);
    assert_eq!(away(&mut Purse::default(), &closed, 1), Err(Short::Away(0)));
    assert_eq!(away(&mut purse(&[lease(MONTH, 1, 5)]), &closed, 5), Ok(()));
    let open = grant(vec![Budget { away: Away::Open(10), ..tokens() }]);
    let mut purse = Purse::default();
    assert_eq!([away(&mut purse, &open, 6), away(&mut purse, &open, 6)], [Ok(()), Err(Short::Away(0))]);
}

#[test]
fn a_new_window_begins_empty_and_the_old_ones_exchanges_do_not_count_in_it() {
    let grant = grant(vec![tokens()]);
    let mut purse = purse(&[lease(MONTH, 1, 100)]);
    let old = take(&mut purse, &grant, 60, 0).unwrap();
    purse.learn(&Leases { list: vec![lease(MONTH, 2, 50)] }, 0);
    purse.true_up(&old, |_| Amounts { usd: 0, tokens: 60, requests: 1 });
    assert!(take(&mut purse, &grant, 50, 0).is_ok());
}

#[test]
fn what_was_taken_is_not_taken_again_by_a_worker_that_forgot_it() {
    let grant = grant(vec![tokens()]);
    let mut forgot = purse(&[Lease { spent: 90, ..lease(MONTH, 1, 100) }]);
    assert!(take(&mut forgot, &grant, 11, 0).is_err());
    assert!(take(&mut forgot, &grant, 10, 0).is_ok());
    let mut knows_more = purse(&[lease(MONTH, 1, 100)]);
    let _under_way = take(&mut knows_more, &grant, 95, 0).unwrap();
    knows_more.learn(&Leases { list: vec![Lease { spent: 20, ..lease(MONTH, 1, 100) }] }, 0);
    assert!(take(&mut knows_more, &grant, 6, 0).is_err());
}

#[test]
fn a_slot_is_free_again_when_the_exchange_is_over() {
    let slots = Budget::of("acme", Unit::Concurrent, "total");
    let grant = grant(vec![slots]);
    let mut purse = purse(&[lease("acme/concurrent/total", 0, 1)]);
    for _ in 0..3 {
        let one = take(&mut purse, &grant, 9, 0).unwrap();
        assert!(take(&mut purse, &grant, 9, 0).is_err());
        purse.true_up(&one, |_| Amounts { usd: 0, tokens: 9, requests: 1 });
    }
}

#[test]
fn leases_in_use_are_renewed_before_they_end_or_run_low_and_idle_ones_are_let_go() {
    let grant = grant(vec![tokens()]);
    let mut purse = purse(&[Lease { valid_for_ms: 60_000, ..lease(MONTH, 1, 90) }]);
    assert!(purse.due(59_000).is_empty(), "nobody uses it");
    let one = take(&mut purse, &grant, 10, 0).unwrap();
    assert!(purse.due(0).is_empty());
    assert_eq!(purse.due(51_000), [MONTH]);
    assert!(purse.due(51_001).is_empty(), "it is being asked for");
    let _two = take(&mut purse, &grant, 60, 0).unwrap();
    assert_eq!(purse.due(1_000_000), [MONTH]);
    purse.true_up(&one, |_| Amounts::default());
}

#[test]
fn money_is_counted_below_the_micro_dollar() {
    let grant = grant(vec![Budget::of("acme", Unit::Usd, "day")]);
    let mut purse = purse(&[lease("acme/usd/day", 1, 1)]);
    for _ in 0..10 {
        let one = purse.reserve(&grant, "x", Amounts { usd: 100, tokens: 0, requests: 1 }, Manner::AsAsked, 0).unwrap();
        purse.true_up(&one, |_| Amounts { usd: 100, tokens: 0, requests: 1 });
    }
    let more = purse.reserve(&grant, "x", Amounts { usd: 1, tokens: 0, requests: 1 }, Manner::AsAsked, 0);
    assert!(more.is_err(), "ten tenths are one");
}

#[test]
fn the_memory_is_bounded() {
    let mut purse = Purse::default();
    for number in 0..MAX_POCKETS + 10 {
        purse.learn(&Leases { list: vec![lease(&format!("k{number}/usd/day"), 1, 1)] }, 0);
    }
    assert!(purse.pockets.len() <= MAX_POCKETS);
}

#[derive(Clone, Copy, Debug)]
enum Do {
    Take { vm: usize, most: u64 },
    End { vm: usize, share: u64 },
    Lend { vm: usize },
    Expire { vm: usize },
    Settle { vm: usize },
}

fn anything() -> impl Strategy<Value = Do> {
    let vm = 0..2_usize;
    prop_oneof![
        4 => (vm.clone(), 1..40_u64).prop_map(|(vm, most)| Do::Take { vm, most }),
        4 => (vm.clone(), 0..=100_u64).prop_map(|(vm, share)| Do::End { vm, share }),
        2 => vm.clone().prop_map(|vm| Do::Lend { vm }),
        1 => vm.clone().prop_map(|vm| Do::Expire { vm }),
        2 => vm.prop_map(|vm| Do::Settle { vm }),
    ]
}

proptest! {
    /// Two workers and a lender, calls between them in any order: whatever is admitted is paid for out of the limit.
    #[test]
    fn workers_never_spend_more_than_the_limit_and_the_leases_that_ended_under_them(
        deeds in proptest::collection::vec(anything(), 1..120)
    ) {
        use crate::admission::{Loan, Window};
        let grant = grant(vec![tokens()]);
        let mut window = Window { limit: 500, ..Window::default() };
        let (mut purses, mut loans) = ([Purse::default(), Purse::default()], [Loan::default(); 2]);
        let mut under_way: [Vec<(Reservation, u64)>; 2] = Default::default();
        let mut unsettled = [0_u64; 2];
        let (mut spent, mut taken_back) = (0, 0);
        for deed in deeds {
            match deed {
                Do::Take { vm, most } => {
                    if let Ok(one) = take(&mut purses[vm], &grant, most, 0) {
                        under_way[vm].push((one, most));
                    }
                }
                Do::End { vm, share } => {
                    if let Some((one, most)) = under_way[vm].pop() {
                        let actual = most * share / 100;
                        purses[vm].true_up(&one, |_| Amounts { usd: 0, tokens: actual, requests: 1 });
                        (spent, unsettled[vm]) = (spent + actual, unsettled[vm] + actual);
                    }
                }
                Do::Settle { vm } => window.spend_of(&mut loans[vm], std::mem::take(&mut unsettled[vm])),
                Do::Lend { vm } => {
                    let want = purses[vm].wants(&[MONTH.into()]).remove(0);
                    window.lend(&mut loans[vm], want.taken, want.wanted);
                    let lent = Lease { is_all: window.free() == 0, ..lease(MONTH, 1, loans[vm].lent) };
                    purses[vm].learn(&Leases { list: vec![lent] }, 0);
                }
                Do::Expire { vm } => {
                    // The worker no longer takes of it; what is under way may still come to that.
                    taken_back += unsettled[vm] + under_way[vm].iter().map(|(_, most)| most).sum::<u64>();
                    window.take_back(&mut loans[vm]);
                    let none = Lease { valid_for_ms: 0, ..lease(MONTH, 1, loans[vm].lent) };
                    purses[vm].learn(&Leases { list: vec![none] }, 0);
                }
            }
            prop_assert!(spent <= window.limit + taken_back, "{spent} of {} and {taken_back}", window.limit);
        }
    }

    /// Five levels against plain sums: an exchange goes when every level has room, else the first that has none is named, and
    /// nothing is taken of any.
    #[test]
    fn of_all_levels_the_first_without_room_is_named(
        limits in proptest::collection::vec(1..200_u64, 5),
        deeds in proptest::collection::vec((1..60_u64, 0..=100_u64, any::<bool>()), 1..200),
    ) {
        const LEVELS: [&str; 5] = ["key_1", "a.b.c.d", "a.b.c", "a.b", "a"];
        let grant = grant(LEVELS.map(|level| Budget::of(level, Unit::Tokens, "day")).to_vec());
        let ids = grant.iter().zip(&limits);
        let all = ids.map(|(budget, limit)| Lease { is_all: true, ..lease(&budget.id, 1, *limit) });
        let mut purse = purse(&all.collect::<Vec<_>>());
        let mut taken = [0_u64; 5];
        let mut under_way = Vec::new();
        for (most, share, ends) in deeds {
            let full = (0..5).find(|level| taken[*level] + most > limits[*level]);
            match (take(&mut purse, &grant, most, 0), full) {
                (Ok(one), None) => {
                    under_way.push((one, most));
                    taken.iter_mut().for_each(|taken| *taken += most);
                }
                (Err(Short::Spent(named, lease)), Some(full)) => {
                    prop_assert_eq!((named, &lease.id), (full, &grant[full].id));
                }
                (done, full) => prop_assert!(false, "{done:?}, but {full:?} is full"),
            }
            if let Some((one, most)) = under_way.pop_if(|_| ends) {
                let actual = most * share / 100;
                purse.true_up(&one, |_| Amounts { usd: 0, tokens: actual, requests: 1 });
                taken.iter_mut().for_each(|taken| *taken = *taken - most + actual);
            }
        }
    }
}
