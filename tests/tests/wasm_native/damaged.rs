//! Damaged requests and answers: what natively is a refusal, an error or a pass is so in the module, and never a trap.

use std::cell::RefCell;

use proptest::collection::vec;
use proptest::prelude::*;

use super::Both;
use super::fixtures::{Cut, fixtures, plane, route};
use super::hostile::runner;

/// Damaged requests that are tried, each with a damaged answer.
const DAMAGES: u32 = 1500;

/// A change to bytes at a place.
#[derive(Debug, Clone)]
enum Damage {
    Flip(u8),
    Insert(Vec<u8>),
    Remove(usize),
    End,
    Again(usize),
}

fn damage() -> impl Strategy<Value = Vec<(prop::sample::Index, Damage)>> {
    let tokens = ["{", "}", "[", "]", "\"", "\\", "\\u", "\\ud800", ",", ":", "\0", "\n\n", "1e999", "null", "data: "];
    let damage = prop_oneof![
        3 => any::<u8>().prop_map(Damage::Flip),
        2 => proptest::sample::select(tokens.to_vec()).prop_map(|token| Damage::Insert(token.into())),
        1 => vec(0x80u8..=0xff, 1..4).prop_map(Damage::Insert),
        2 => (1usize..40).prop_map(Damage::Remove),
        1 => Just(Damage::End),
        1 => (1usize..80).prop_map(Damage::Again),
    ];
    vec((any::<prop::sample::Index>(), damage), 0..4)
}

fn damaged(mut bytes: Vec<u8>, damages: &[(prop::sample::Index, Damage)]) -> Vec<u8> {
    for (place, damage) in damages {
        if bytes.is_empty() {
            break;
        }
        let place = place.index(bytes.len());
        match damage {
            Damage::Flip(bits) => bytes[place] ^= bits,
            Damage::Insert(more) => drop(bytes.splice(place..place, more.iter().copied())),
            Damage::Remove(size) => drop(bytes.drain(place..bytes.len().min(place + size))),
            Damage::End => bytes.truncate(place),
            Damage::Again(size) => {
                let again = bytes[place..bytes.len().min(place + size)].to_vec();
                bytes.splice(place..place, again);
            }
        }
    }
    bytes
}

#[test]
fn damaged_requests_and_answers_are_served_as_natively() {
    let both = RefCell::new(Both::start(plane("")));
    let (requests, answers) = (fixtures("requests"), fixtures("answers"));
    let strategy = (any::<prop::sample::Index>(), damage(), any::<prop::sample::Index>(), damage(), any::<u64>());
    let outcome = runner(DAMAGES).run(&strategy, |(request, damage, answer, answer_damage, seed)| {
        let (request, answer) = (request.get(&requests), answer.get(&answers));
        let mut cut = Cut(seed);
        let delivery = request.deliveries()[cut.below(request.deliveries().len())];
        let (head, body) = request.ask(&route(answer.dialect, cut.below(2) == 0), delivery);
        let asked = cut.request((head, damaged(body, &damage)));
        let mut said = answer.answer(&mut cut);
        said.chunks = cut.chunks(&damaged(answer.bytes.clone(), &answer_damage));
        let served = both.borrow_mut().serve(&asked, &[Some(said)]);
        served.map(drop).map_err(|difference| {
            both.replace(Both::start(plane("")));
            TestCaseError::fail(difference)
        })
    });
    outcome.unwrap_or_else(|error| panic!("{error}"));
}
